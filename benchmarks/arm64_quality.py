"""Whether int8 files for arm64 keep on an emulated Raspberry Pi the quality that their export has promised.

    python benchmarks/arm64_quality.py examples/checkpoints/classifier.pt \\
        --calibration ../shared/data/cifar10.zip --data ../shared/data/cifar10.zip --pictures 400
    python benchmarks/arm64_quality.py examples/checkpoints/upscale.pt \\
        --calibration ../shared/data/photos --data ../shared/data/photos --pictures 16 --side 128

For each board the checkpoint is exported with ``--int8 --target BOARD``; what follows ``--`` goes to ``edgevision
export`` too. The same file then answers here and on the board (tests/device/emulated_board.py), for pictures evenly
chosen from the data. The emulation is slow, so the pictures are few and their mean says little of all; the comparison
is picture by picture with this machine, and its standard error is given. Pictures for restoration are cut to --side,
and from a folder that has also been calibrated with come only those held out from training.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.modelfiles.model_file import require_metadata

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests/device"))

from emulated_board import BOARDS, find_board  # noqa: E402

# Points of accuracy, or dB.
PROMISE = {"points": 0.3, "dB": 0.1}


@dataclass(frozen=True)
class Answer:
    """Of one picture: PSNR in dB, or 100 for the right ``label`` and 0 for a wrong one."""

    figure: float
    label: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--boards", nargs="+", choices=BOARDS, default=list(BOARDS))
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=128)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    command = [sys.executable, "-m", "edgevision"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        chosen = folder / "pictures"
        export = [*command, "export", str(arguments.checkpoint), "--quiet", *options, "-o"]
        plain = folder / "plain.onnx"
        run([*export, str(plain)])
        classifies = require_metadata(plain).task == "classify"
        choose(arguments, chosen, classifies=classifies)
        unit = "points" if classifies else "dB"
        floating = ask(command, plain, chosen, classifies=classifies)
        kind = "right answers, %" if classifies else "PSNR, dB"
        print(f"{len(floating)} pictures of {arguments.data.name}; fp32 here: {kind} {np.mean(figures(floating)):.3f}")
        for board in arguments.boards:
            model = folder / f"{board}.onnx"
            int8 = ["--int8", "--target", board, "--calibration", str(arguments.calibration)]
            run([*export, str(model), *int8, "--preset", arguments.preset])
            promised = json.loads(model.with_suffix(".report.json").read_text())["quantization"]
            loss = next(form["loss"] for form in promised["forms"] if form.get("written"))
            here = ask(command, model, chosen, classifies=classifies)
            start = time.perf_counter()
            there = ask(find_board(board).command("edgevision"), model, chosen, classifies=classifies)
            seconds = time.perf_counter() - start
            change = figures(there) - figures(here)
            error = change.std(ddof=1) / np.sqrt(len(change))
            print(
                f"{board}: {promised['verdict']}\n"
                f"  loss promised {loss:+.4f} {promised['unit']}; of these pictures "
                f"{np.mean(figures(floating) - figures(here)):+.4f} here, "
                f"{np.mean(figures(floating) - figures(there)):+.4f} on the board ({seconds:.0f} s)\n"
                f"  board minus here: {change.mean():+.4f} {unit}, standard error {error:.4f}; "
                f"{np.count_nonzero(change)} pictures differ, by at most {np.abs(change).max():.4f}, "
                f"{sum(mine.label != theirs.label for mine, theirs in zip(here, there, strict=True))} in their label",
                flush=True,
            )
            if abs(change.mean()) > PROMISE[unit]:
                sys.exit(f"{board}: more than {PROMISE[unit]} {unit} from this machine")


def choose(arguments: argparse.Namespace, folder: Path, *, classifies: bool) -> None:
    """Write the pictures that are asked about: as they are below their class, or cut to a square."""
    data = ImageFolder(arguments.data, ("test",)) if classifies else ImageFolder(arguments.data)
    indices = list(range(len(data)))
    if arguments.data == arguments.calibration and not classifies:
        indices = [index for index in indices if is_held_out(data.names[index])]
    for position in np.linspace(0, len(indices) - 1, min(arguments.pictures, len(indices))).astype(int):
        index = indices[position]
        target = folder / "/".join(data.names[index].split("/")[-2:])
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = data.image(index)
        if not classifies:
            sides = [min(side, arguments.side) for side in (picture.height, picture.width)]
            left, top = ((side - kept) // 2 for side, kept in zip((picture.height, picture.width), sides, strict=True))
            picture = picture.crop((left, top, left + sides[0], top + sides[1]))
        picture.save(target.with_suffix(".png"))


def ask(command: list[str], model: Path, folder: Path, *, classifies: bool) -> list[Answer]:
    """The model's answer to each picture, in order of their names."""
    if classifies:
        pictures = map(str, sorted(folder.rglob("*.png")))
        said = json.loads(run([*command, "run", "classify", *pictures, "--model", str(model), "--json", "--quiet"]))
        labels = [(Path(result["input"]).parent.name, result["predictions"][0]["label"]) for result in said["results"]]
        return [Answer(100.0 * (truth == label), label) for truth, label in labels]
    said = json.loads(run([*command, "evaluate", str(model), str(folder), "--json", "--quiet"]))
    name = "psnr_y" if "psnr_y" in said["figures"] else "psnr"
    return [Answer(picture["figures"][name]) for picture in said["pictures"]]


def figures(answers: list[Answer]) -> np.ndarray:
    return np.array([answer.figure for answer in answers])


def run(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return done.stdout


if __name__ == "__main__":
    main()
