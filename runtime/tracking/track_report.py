"""``edgevision evaluate track``: tracks of a file against those that are true."""

from pathlib import Path
from typing import Any

from edgevision.cli.output import echo, print_json
from edgevision.core.errors import DatasetError
from edgevision.core.printable import one_line
from edgevision.metrics.track_scores import track_scores
from edgevision.runtime.tracking.mot_files import frame_pairs, read_ground_truth, read_mot

_ROWS = (
    ("HOTA", ("hota", "deta", "assa", "loca")),
    ("identity", ("idf1", "idp", "idr")),
    ("CLEAR", ("mota", "motp")),
)
_COUNTS = ("switches", "fragments", "misses", "false_alarms", "mostly_tracked", "mostly_lost")


def evaluate_tracks(result: Path, truth: Path, *, as_json: bool) -> None:
    """Print how good the tracks of ``result`` are, both MOT files.

    Raises:
        DatasetError: one of them cannot be read, or nothing is true.
        MissingExtraError: SciPy is not installed.
    """
    ground_truth = read_ground_truth(truth)
    true, found = ground_truth.scored, ground_truth.without_distractors(read_mot(result))
    if not len(true.ids):
        raise DatasetError(f"{str(truth)!r} has no box that is to be scored, so that nothing can be judged by it")
    pairs = frame_pairs(true, found)
    scores = track_scores(pairs)
    if as_json:
        facts: dict[str, Any] = {"result": str(result), "truth": str(truth), "frames": len(pairs)}
        print_json(facts | {"figures": {name: round(value, 6) for name, value in scores.items()}})
        return
    sizes = f"{len(pairs)} frames, {len(true.ids)} true boxes, {len(found.ids)} found"
    echo(f"{one_line(result)} against {one_line(truth)}: {sizes}")
    for name, figures in _ROWS:
        echo(f"  {name:<10}" + "".join(f"{figure.upper():>8} {100 * scores[figure]:6.2f} %" for figure in figures))
    for name in _COUNTS:
        echo(f"  {name.replace('_', ' '):<16}{scores[name]:6.0f}")
