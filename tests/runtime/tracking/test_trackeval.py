"""The figures of ``evaluate track`` are trackeval's own, to the last digit, on sequences of all kinds."""

from pathlib import Path

import numpy as np
import pytest

trackeval = pytest.importorskip("trackeval")

NAMES = {
    "mota": ("CLEAR", "MOTA"),
    "motp": ("CLEAR", "MOTP"),
    "switches": ("CLEAR", "IDSW"),
    "fragments": ("CLEAR", "Frag"),
    "misses": ("CLEAR", "CLR_FN"),
    "false_alarms": ("CLEAR", "CLR_FP"),
    "mostly_tracked": ("CLEAR", "MT"),
    "mostly_lost": ("CLEAR", "ML"),
    "idf1": ("Identity", "IDF1"),
    "idp": ("Identity", "IDP"),
    "idr": ("Identity", "IDR"),
    "hota": ("HOTA", "HOTA"),
    "deta": ("HOTA", "DetA"),
    "assa": ("HOTA", "AssA"),
    "loca": ("HOTA", "LocA"),
}
"""Ours, and where trackeval has it."""


def sequence(seed: int) -> tuple[int, list[str], list[str]]:
    """How many frames, the lines of a ground truth and of a result: things of all classes come, go and are not scored;
    boxes are moved, lost and made up, ids swapped and used again, and whole frames are empty."""
    draw = np.random.default_rng(seed)
    frames, things = int(draw.integers(4, 30)), int(draw.integers(1, 9))
    jitter, lost, swapped = draw.uniform(0, 0.25), draw.uniform(0, 0.5), draw.uniform(0, 0.2)
    place, speed = draw.uniform(0, 120, (things, 2)), draw.normal(0, 6, (things, 2))
    size, classes = draw.uniform(15, 60, (things, 2)), draw.choice([1, 1, 1, 1, 2, 3, 7, 8, 12, 6], things)
    classes[0] = 1
    names = np.arange(1, things + 1)
    truth, result = [], []
    for frame in range(1, frames + 1):
        empty = draw.random(2) < 0.1
        place = place + speed
        if draw.random() < swapped:
            names = draw.permutation(names)
        for thing in range(things):
            if empty[0] or draw.random() < 0.1:
                continue
            box = ",".join(f"{value:.2f}" for value in (*place[thing], *size[thing]))
            truth.append(f"{frame},{thing + 1},{box},{int(thing == 0 or draw.random() > 0.1)},{classes[thing]},1")
        for name, corner, sides in zip(names, place, size, strict=True):
            if empty[1] or draw.random() < lost:
                continue
            moved = np.concatenate([corner, sides]) + jitter * np.tile(sides, 2) * draw.normal(0, 0.5, 4)
            moved[2:] = np.maximum(moved[2:], 1)
            result.append(f"{frame},{name}," + ",".join(f"{value:.3f}" for value in moved) + ",1,-1,-1,-1")
        made_up = draw.uniform(0, 150, (draw.integers(0, 3), 2))
        result += [f"{frame},{100 + name},{x:.2f},{y:.2f},30,30,0,-1,-1,-1" for name, (x, y) in enumerate(made_up)]
    return frames, truth, result


def trackeval_scores(folder: Path, frames: int, truth: Path, result: Path) -> dict[str, float]:
    """What it says of two files, prepared as it does those of MOT17."""
    (folder / "gt/S/gt").mkdir(parents=True)
    (folder / "tr/T/data").mkdir(parents=True)
    (folder / "gt/S/gt/gt.txt").write_bytes(truth.read_bytes())
    (folder / "tr/T/data/S.txt").write_bytes(result.read_bytes())
    data = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "tr"),
            "SEQ_INFO": {"S": frames},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
    prepared = data.get_preprocessed_seq_data(data.get_raw_seq_data("T", "S"), "pedestrian")
    metrics = {name: getattr(trackeval.metrics, name) for name in ("HOTA", "CLEAR", "Identity")}
    scores = {name: metric({"PRINT_CONFIG": False}).eval_sequence(prepared) for name, metric in metrics.items()}
    return {ours: float(np.mean(scores[group][name])) for ours, (group, name) in NAMES.items()}


@pytest.mark.parametrize("seed", range(40))
def test_the_figures_are_those_of_trackeval(seed: int, tmp_path: Path) -> None:
    from edgevision.metrics.track_scores import track_scores
    from edgevision.runtime.tracking.mot_files import frame_pairs, read_ground_truth, read_mot

    frames, truth, result = sequence(seed)
    files = tmp_path / "gt.txt", tmp_path / "found.txt"
    for file, lines in zip(files, (truth, result), strict=True):
        file.write_text("\n".join(lines) + "\n")
    true = read_ground_truth(files[0])
    scores = track_scores(frame_pairs(true.scored, true.without_distractors(read_mot(files[1])), frames))
    assert scores == pytest.approx(trackeval_scores(tmp_path, frames, *files), rel=1e-12, abs=1e-12)
