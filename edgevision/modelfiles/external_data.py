"""Weights that lie beside a model file, as ONNX calls them: external data."""

from pathlib import Path
from typing import NamedTuple

from edgevision.core.errors import ModelFileError
from edgevision.core.regular_files import real_path


class ExternalData(NamedTuple):
    """Where numbers lie that are kept beside the model.

    Attributes:
        file: relative to the model's folder.
        offset, length: in bytes; the length is 0 where it is left open.
        is_companion: found by the model's own name. All others the model names itself, and none may lie outside of its
            folder.
    """

    file: str
    offset: int = 0
    length: int = 0
    is_companion: bool = False

    def path(self, model: Path) -> Path:
        """The file, whatever links lead to it and whether or not it is there.

        Raises:
            ModelFileError: it is outside of the model's folder.
        """
        folder = real_path(model.parent)
        file = real_path(folder / self.file)
        if not self.is_companion and not file.is_relative_to(folder):
            raise ModelFileError(
                f"{str(model)!r} wants weights from {self.file!r}; they must lie in the model's own folder"
            )
        return file

    def file_size(self, model: Path) -> int:
        """The bytes of all of the file.

        Raises:
            ModelFileError: as :meth:`path`, or it is not there.
        """
        file = self.path(model)
        if not file.is_file():
            raise ModelFileError(f"{str(model)!r} lacks its weights; {self.file!r} belongs beside it")
        return file.stat().st_size

    def check(self, model: Path) -> None:
        """Raise :class:`ModelFileError` as :meth:`file_size`, and where the file ends before these numbers do."""
        if self.offset + self.length > self.file_size(model):
            raise ModelFileError(f"{str(model)!r} lacks some of its weights; {self.file!r} beside it is cut off")
