"""How the tests share the cores, and what several files build on: small data sets, a clean Python beside their own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from PIL import Image

from edgevision.cli.app import main
from edgevision.core.machine import usable_cores

# How long an example takes says something of the machine's load, not of the code.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

_IMPORTED = re.compile(r"^(?:from|import) (edgevision\.\w+|\w+)", re.MULTILINE)
_WORKSTATION = ("edgevision.exporters", "edgevision.training", "edgevision.models")

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
Script = Callable[..., subprocess.CompletedProcess[str]]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without PyTorch, as on a board, what itself imports a package that is not here is left out."""
    if find_spec("torch"):
        return None
    source = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if source.suffix != ".py" or not source.is_file():
        return None
    names = _IMPORTED.findall(source.read_text(encoding="utf-8"))
    return True if any(name in _WORKSTATION or not find_spec(name.split(".")[0]) for name in names) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core; none beside this one where files are named, as for the few tests of a change."""
    return 0 if all(".py" in argument for argument in config.args) else min(8, usable_cores())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """One thread for each process that is started: those of one would wait for the cores of the others."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long come first, so that no core waits for the last of them."""
    long = ("product", "training")
    root = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(root).parts[0] not in long)


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Skip a test that needs a package of the workstation where there is none of those, as on a board."""

    def require(package: str) -> None:
        if not find_spec("torch") and not find_spec(package):
            pytest.skip(f"{package} is not installed, nor is anything of a workstation")

    return require


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A folder that the first process which asks for its name fills with ``fill(folder)``, and all of a run read."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = root / "shared" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = folder.with_name(f"{name}.unfinished")
                unfinished.mkdir(exist_ok=True)
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


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
