"""What several test files build on: small data sets on disk, and a clean Python beside the test's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from edgevision.cli.app import main

# How long an example takes says something of the machine's load, not of the code.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_python() -> Script:
    """Run Python with the given arguments in a new process; the text of both streams comes back."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONWARNINGS": "default", "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, **options
        )

    return run


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let processes that are started be interrupted, though this one was started so that it cannot be (nohup, ``&``).

    What is ignored is inherited, by whatever they start as well.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def edgevision(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return int(caught.value.code or 0), output.out, output.err

    return run


@pytest.fixture
def write_class_folders() -> Callable[[Path, Mapping[str, int]], Path]:
    """Write 8x8 pictures of one bright quarter a class, ``{"[split/]class": count}``, below a folder."""

    def write(root: Path, counts: Mapping[str, int]) -> Path:
        generator = np.random.default_rng(0)
        classes = sorted({Path(name).name for name in counts})
        for name, count in counts.items():
            folder = root / name
            folder.mkdir(parents=True)
            row, column = divmod(classes.index(Path(name).name) % 4, 2)
            for index in range(count):
                pixels = generator.integers(0, 80, (8, 8, 3), dtype=np.uint8)
                pixels[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 150
                Image.fromarray(pixels).save(folder / f"{index:03}.png")
        return root

    return write


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published checkpoints and data beside the checkout; tests that need it are skipped without."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no shared folder beside the checkout")
    return folder
