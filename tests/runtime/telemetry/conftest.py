"""A board made of files below a temporary folder."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def board(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write (or rewrite) the files of a board, ``{"sys/...": text}``, and give the root of its file system."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "board" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "board"

    return write


@pytest.fixture
def recordings(shared: Path) -> Path:
    """The folder of recorded outputs of real boards."""
    folder = shared / "fixtures"
    if not folder.is_dir():
        pytest.skip("no recordings beside the checkout")
    return folder
