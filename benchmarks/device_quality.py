"""Whether int8 files keep on the device that they are for the quality that their export has promised.

    python benchmarks/device_quality.py examples/checkpoints/classifier.pt \\
        --calibration ../shared/data/cifar10.zip --data ../shared/data/cifar10.zip --pictures 400
    python benchmarks/device_quality.py examples/checkpoints/upscale.pt \\
        --calibration ../shared/data/photos --data ../shared/data/photos --pictures 16 --side 128
    python benchmarks/device_quality.py runtime/assets/detect.onnx \\
        --calibration ../shared/data/bccd.zip --data ../shared/data/bccd.zip --pictures 12

For each target the checkpoint is exported with ``--int8 --target TARGET``; what follows ``--`` goes to ``edgevision
export`` too. The same file then answers here and there: on an emulated board (tests/device/emulated_board.py), or on
Qualcomm's simulator, which ``.[qnn]`` brings. Both are slow, so the pictures are few and their figure says little of
all; what counts is the comparison with this machine, picture by picture with its standard error where the figure is a
mean, and else with the float model on the same pictures. The figure is that of the task: right answers, PSNR, mAP50-95,
mIoU, what of the things matches, NME. Pictures for restoration are cut to --side, and from a folder that has also been
calibrated with come only those held out from training, as from the split of --held-out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.data.datasets import ImageFolder, is_held_out, split_called
from edgevision.data.point_annotations import held_out_by
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests/device"))

from emulated_board import BOARDS, find_board  # noqa: E402

HTP = "qualcomm-htp"


@dataclass(frozen=True)
class Figure:
    """What a task is judged by: its ``title``, its unit, and how far a device may be from what it should be."""

    title: str
    unit: str
    promise: float


CLASSIFIED = Figure("right answers, %", "points", 0.3)
RESTORED = Figure("PSNR, dB", "dB", 0.1)
# As their evaluation names them; of a segmenter the first that it has.
ANNOTATED = {
    "detect": {"map": Figure("mAP50-95, %", "points", 0.5)},
    "segment": {
        "matched50": Figure("TP / (TP + FP + FN) at IoU 0.5, %", "points", 0.5),
        "miou": Figure("mIoU, %", "points", 0.5),
    },
    "keypoints": {"nme": Figure("NME, %", "points", 0.05)},
}


@dataclass(frozen=True)
class Answers:
    """To all pictures: the ``figure`` of them together, of each where it is their mean, and the labels of a
    classifier."""

    kind: Figure
    figure: float
    each: Sequence[float] = ()
    labels: Sequence[str] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--targets", nargs="+", choices=(*BOARDS, HTP), default=list(BOARDS))
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--held-out", metavar="SPLIT", help="of that split only the pictures held out from training")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    command = [sys.executable, "-m", "edgevision"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        chosen = folder / "pictures"
        export = [*command, "export", str(arguments.checkpoint), "--quiet", *options, "-o"]
        plain = folder / "plain.onnx"
        run([*export, str(plain)])
        metadata = require_metadata(plain)
        choose(arguments, chosen, metadata)
        count = sum(1 for name in chosen.rglob("*") if name.suffix in (".jpg", ".png"))
        floating = ask(command, plain, chosen, metadata.task)
        kind = floating.kind
        print(f"{count} files of {arguments.data.name}; fp32 here: {kind.title} {floating.figure:.3f}", flush=True)
        for target in arguments.targets:
            model = folder / f"{target}.onnx"
            int8 = ["--int8", "--target", target, "--calibration", str(arguments.calibration)]
            run([*export, str(model), *int8, "--preset", arguments.preset])
            promised = json.loads(model.with_suffix(".report.json").read_text())["quantization"]
            loss = next(form["loss"] for form in promised["forms"] if form.get("written"))
            here = ask(command, model, chosen, metadata.task)
            start = time.perf_counter()
            if target == HTP:
                there = ask(command, model, chosen, metadata.task, ["--device", "qnn:npu"])
            else:
                there = ask(find_board(target).command("edgevision"), model, chosen, metadata.task)
            seconds = time.perf_counter() - start
            print(
                f"{target}: {promised['verdict']}\n"
                f"  loss promised {loss:+.4f} {promised['unit']}; of these pictures "
                f"{lost(floating, here):+.4f} here, {lost(floating, there):+.4f} on the device ({seconds:.0f} s)\n"
                f"  {difference(here, there)}",
                flush=True,
            )
            # Of few things one that is found or not is more than a promise: what counts is the loss against float.
            if metadata.task in ANNOTATED:
                if lost(floating, there) > kind.promise:
                    sys.exit(f"{target}: more than {kind.promise} {kind.unit} are lost against float")
            elif abs(there.figure - here.figure) > kind.promise:
                sys.exit(f"{target}: more than {kind.promise} {kind.unit} from this machine")


def lost(before: Answers, after: Answers) -> float:
    """How much worse the figure is; less is better of an error."""
    change = before.figure - after.figure
    return -change if before.kind.title.startswith("NME") else change


def difference(here: Answers, there: Answers) -> str:
    text = f"device minus here: {there.figure - here.figure:+.4f} {here.kind.unit}"
    if not here.each:
        return text
    change = np.array(there.each) - np.array(here.each)
    error = change.std(ddof=1) / np.sqrt(len(change))
    text += f", standard error {error:.4f}" if np.isclose(np.mean(here.each), here.figure) else ""
    text += f"; {np.count_nonzero(change)} of {len(change)} pictures differ, by at most {np.abs(change).max():.4f}"
    if not here.labels:
        return text
    others = sum(mine != theirs for mine, theirs in zip(here.labels, there.labels, strict=True))
    return f"{text}, {others} in their label"


def choose(arguments: argparse.Namespace, folder: Path, metadata: ModelMetadata) -> None:
    """Write the pictures that are asked about: as they are below their class, beside what is known of them, or cut."""
    split = arguments.held_out or ("test" if metadata.task in ("classify", *ANNOTATED) else None)
    data = ImageFolder(arguments.data, (split,) if split else ())
    indices = list(range(len(data)))
    restores = metadata.task not in ("classify", *ANNOTATED)
    if arguments.held_out or (arguments.data == arguments.calibration and restores):
        groups = getattr(metadata.spec, "groups", None)
        held_out = held_out_by(groups) if groups else is_held_out
        indices = [index for index in indices if held_out(data.names[index])]
    for position in np.linspace(0, len(indices) - 1, min(arguments.pictures, len(indices))).astype(int):
        index = indices[position]
        if metadata.task in ANNOTATED:
            copy_with_annotations(data, data.names[index], folder)
            continue
        target = folder / "/".join(data.names[index].split("/")[-2:])
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = data.image(index)
        if restores:
            sides = [min(side, arguments.side) for side in (picture.height, picture.width)]
            left, top = ((side - kept) // 2 for side, kept in zip((picture.height, picture.width), sides, strict=True))
            picture = picture.crop((left, top, left + sides[0], top + sides[1]))
        picture.save(target.with_suffix(".png"))


def copy_with_annotations(data: ImageFolder, name: str, folder: Path) -> None:
    """Copy a picture, its mask or what lies beside it under its name, and its lines of the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.rpartition(".")[0]
    beside = [other for other in data.other_files if other.rpartition(".")[0] == stem]
    for path in (name, *beside, *([data.masks[name]] if name in data.masks else [])):
        (folder / Path(path).name).write_bytes(data.read(path))
    for path in data.other_files:
        # Tables of another split may have pictures of the same name.
        if path.endswith(".csv") and split_called(Path(path).name.partition("_")[0]) in (None, data.split):
            head, *lines = data.read(path).decode().splitlines()
            own = [line for line in lines if line.startswith(f"{Path(name).name},")]
            if own:
                table = folder / "points.csv"
                earlier = table.read_text() if table.exists() else f"{head}\n"
                table.write_text(earlier + "\n".join(own) + "\n")


def ask(command: list[str], model: Path, folder: Path, task: str, device: Sequence[str] = ()) -> Answers:
    """The model's answers to the pictures, in order of their names."""
    asked = ASKED.get(task, restored)
    return asked([*command], model, folder, [*device, "--json", "--quiet"])


def classified(command: list[str], model: Path, folder: Path, options: Sequence[str]) -> Answers:
    pictures = map(str, sorted(folder.rglob("*.png")))
    said = json.loads(run([*command, "run", "classify", *pictures, "--model", str(model), *options]))
    truths = [Path(result["input"]).parent.name for result in said["results"]]
    labels = [result["predictions"][0]["label"] for result in said["results"]]
    each = [100.0 * (truth == label) for truth, label in zip(truths, labels, strict=True)]
    return Answers(CLASSIFIED, float(np.mean(each)), each, labels)


def restored(command: list[str], model: Path, folder: Path, options: Sequence[str]) -> Answers:
    said = evaluated(command, model, folder, options)
    name = "psnr_y" if "psnr_y" in said["figures"] else "psnr"
    each = [picture["figures"][name] for picture in said["pictures"]]
    return Answers(RESTORED, float(np.mean(each)), each)


def annotated(task: str) -> Callable[[list[str], Path, Path, Sequence[str]], Answers]:
    def ask_about(command: list[str], model: Path, folder: Path, options: Sequence[str]) -> Answers:
        said = evaluated(command, model, folder, options)
        name = next(name for name in ANNOTATED[task] if said.get(name) is not None)
        return Answers(ANNOTATED[task][name], said[name], list(said.get("pictures", {}).values()))

    return ask_about


ASKED = {"classify": classified, **{task: annotated(task) for task in ANNOTATED}}


def evaluated(command: list[str], model: Path, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run([*command, "evaluate", str(model), str(folder), *options]))
    return said


def run(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return done.stdout


if __name__ == "__main__":
    main()
