"""A Raspberry Pi 4 and a Pi 5 under emulation answer as this machine does, on the models that ship."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from emulated_board import BOARDS
from PIL import Image

import edgevision
from edgevision.exporters.engine_process import ProcessEngine
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.shipped_models import shipped_model

EXAMPLES = Path(__file__).parents[2] / "examples"

# fp32 on both sides, summed in another order: probabilities differ by rounding, pixels where it falls on half a step.
PROBABILITY = 1e-4
PIXEL = 1

FEATURES = {"pi4": ["asimd"], "pi5": ["asimd", "asimdhp", "asimddp"]}

# Several command lines in one process: under emulation the imports take longer than the work.
PROGRAM = """
import contextlib, io, json, sys
from edgevision.cli.app import main

said = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            main(arguments)
        except SystemExit as end:
            if end.code:
                raise
    said.append(output.getvalue())
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Answers:
    """What one machine said of itself and of the pictures."""

    devices: dict[str, object]
    classified: list[dict[str, object]]
    generated: np.ndarray
    inpainted: np.ndarray
    decompressed: np.ndarray


@pytest.fixture(scope="session")
def holed(tmp_path_factory):
    """A picture and its mask, a quarter of the example's pixels: the emulation is slow."""
    folder = tmp_path_factory.mktemp("holed")
    with Image.open(EXAMPLES / "pictures/cat.jpg") as picture, Image.open(EXAMPLES / "mask.png") as mask:
        size = (picture.width // 2, picture.height // 2)
        picture.resize(size).save(folder / "picture.png")
        mask.resize(size, Image.Resampling.NEAREST).save(folder / "mask.png")
    return folder / "picture.png", folder / "mask.png"


@pytest.fixture(scope="session")
def compressed(holed):
    """That picture in few bytes, as this machine writes it."""
    path = holed[0].with_suffix(".evc")
    with edgevision.load("compress") as compress:
        compress(holed[0]).save(path)
    return path


@pytest.fixture(scope="session")
def answers(emulated_board, holed, compressed, tmp_path_factory):
    """The answers of the host and of each board, by name; they work side by side."""
    pythons = {"host": [sys.executable]} | {name: emulated_board(name).command("python3") for name in BOARDS}

    def ask(name: str) -> Answers:
        folder = tmp_path_factory.mktemp(name)
        commands = (
            ("devices", "--json"),
            ("run", "classify", EXAMPLES / "pictures/cat.jpg", EXAMPLES / "pictures/rocket.jpg", "--json"),
            ("run", "generate", "--count", "4", "--seed", "7", "-o", folder / "generated.png"),
            ("run", "inpaint", *holed, "-o", folder / "inpainted.png"),
            ("run", "decompress", compressed, "-o", folder / "decompressed.png"),
        )
        words = json.dumps([[str(word) for word in command] for command in commands])
        done = subprocess.run([*pythons[name], "-c", PROGRAM, words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        devices, classified, *_ = json.loads(done.stdout)
        return Answers(
            json.loads(devices),
            json.loads(classified)["results"],
            pixels(folder / "generated.png"),
            pixels(folder / "inpainted.png"),
            pixels(folder / "decompressed.png"),
        )

    with ThreadPoolExecutor() as pool:
        return dict(zip(pythons, pool.map(ask, pythons), strict=True))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize("board", BOARDS)
def test_the_board_knows_itself(answers, board):
    machine = answers[board].devices["machine"]
    assert machine["processor"] == BOARDS[board].model
    assert machine["features"] == FEATURES[board]
    assert " aarch64, " in machine["system"]


@pytest.mark.parametrize("board", BOARDS)
def test_pictures_are_classified_as_on_the_host(answers, board):
    for here, there in zip(answers["host"].classified, answers[board].classified, strict=True):
        assert there["input"] == here["input"]
        assert [p["label"] for p in there["predictions"]] == [p["label"] for p in here["predictions"]]
        assert [p["probability"] for p in there["predictions"]] == pytest.approx(
            [p["probability"] for p in here["predictions"]], abs=PROBABILITY
        )


@pytest.mark.parametrize("board", BOARDS)
def test_a_seed_generates_the_same_pictures_as_on_the_host(answers, board):
    here = answers["host"].generated
    assert here.std() > 20
    assert np.abs(answers[board].generated - here).max() <= PIXEL


@pytest.mark.parametrize("board", BOARDS)
def test_holes_are_filled_as_on_the_host(answers, board, holed):
    here = answers["host"].inpainted
    assert np.abs(here - pixels(holed[0])).max() > 20
    assert np.abs(answers[board].inpainted - here).max() <= PIXEL


@pytest.mark.parametrize("board", BOARDS)
def test_a_compressed_picture_holds_the_same_symbols_as_on_the_host(answers, board, holed):
    """One wrong symbol would spoil all that follow."""
    here = answers["host"].decompressed
    assert np.abs(here - pixels(holed[0])).mean() < 20
    assert np.abs(answers[board].decompressed - here).max() <= PIXEL


def test_an_engine_on_the_board_computes_what_the_host_asks_it(emulated_board):
    model = shipped_model("classify")
    with closing(emulated_board("pi4").engine_process()) as process, open_engine(model, "ort:cpu", threads=1) as here:
        picture = {here.inputs[0].name: np.random.default_rng(0).random((1, 3, 32, 32), np.float32)}
        with ProcessEngine(process, model, "ort:cpu", {"threads": 1}, lambda: None) as there:
            assert sqnr_db(here.run(picture)[0], there.run(picture)[0]) > 60


@pytest.mark.parametrize("board", BOARDS)
def test_a_session_on_the_board_meets_its_own_programs(emulated_board, board):
    board = emulated_board(board)
    command = "uname -m && cat /proc/device-tree/model && python3 -c 'import sys; print(sys.prefix)'"
    done = subprocess.run([board.shell, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["aarch64", f"{BOARDS[board.name].model}\0{board.root}", ""]
