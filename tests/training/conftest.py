"""What the trainings of the tests have in common: one thread, pictures of two classes, and photographs to damage."""

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in new processes: threads that wait for each other cost more than these networks do."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    interrupt = signal.getsignal(signal.SIGINT)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    # An interrupted Lightning leaves Ctrl-C switched off.
    signal.signal(signal.SIGINT, interrupt)


@pytest.fixture
def pictures(tmp_path: Path, write_class_folders: Callable[[Path, Mapping[str, int]], Path]) -> Path:
    """Twenty pictures of two classes, and sixty to validate on."""
    parts = {"train/cat": 10, "train/dog": 10, "val/cat": 30, "val/dog": 30}
    return write_class_folders(tmp_path / "pictures", parts)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 pictures, 48 to 96 pixels a side: a box on a gradient. 005.png and 006.png are held out."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for number in range(12):
        height, width = generator.integers(48, 97, 2)
        y, x = np.mgrid[:height, :width] / 96
        pixels = np.dstack([x, y, (x + y) / 2]) * generator.uniform(0.4, 1, 3)
        top, left = generator.integers(0, 30, 2)
        pixels[top : top + 14, left : left + 18] = generator.uniform(0, 1, 3)
        Image.fromarray(np.round(pixels * 255).astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder
