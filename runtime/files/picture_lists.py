"""Lists of pictures: a text with a path or URL a line, or a Parquet file with a column of them."""

from pathlib import Path, PurePosixPath

from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.printable import shortened
from edgevision.core.regular_files import read_text_file
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.stored_files import StoredFile, on_this_machine_or_stored

_COLUMN = "path"
_PARQUET = ".parquet"


def listed_pictures(list_file: Path) -> list[PictureInput]:
    """The pictures that a file lists, in its order; relative paths are relative to where the user is.

    Their results mirror the tree below the folder that all of them have in common.

    Raises:
        InputError: it cannot be read, names nothing, names one twice, or has no column of paths.
        MissingExtraError: it is Parquet, and what reads that is not installed.
    """
    names = _parquet(list_file) if list_file.suffix.lower() == _PARQUET else _lines(list_file)
    if not names:
        raise InputError(f"{str(list_file)!r} lists no pictures")
    twice = next((name for name, before in zip(sorted(names)[1:], sorted(names), strict=False) if name == before), None)
    if twice is not None:
        raise InputError(f"{str(list_file)!r} lists {shortened(twice)} twice")
    places = [on_this_machine_or_stored(name) for name in names]
    paths = [PurePosixPath(place.store, place.path) if isinstance(place, StoredFile) else place for place in places]
    common = _common_folder([path.parent.parts for path in paths])
    return [
        PictureInput(name, place, Path(*path.parts[len(common) :]), found=True)
        for name, place, path in zip(names, places, paths, strict=True)
    ]


def _common_folder(folders: list[tuple[str, ...]]) -> tuple[str, ...]:
    first, last = min(folders), max(folders)
    equal = [one == other for one, other in zip(first, last, strict=False)]
    return first[: equal.index(False) if False in equal else len(equal)]


def _lines(list_file: Path) -> list[str]:
    return [line for line in read_text_file(list_file, "the list of pictures").splitlines() if line.strip()]


def _parquet(list_file: Path) -> list[str]:
    with requires_extra("storage"):
        import pyarrow as arrow
        from pyarrow import parquet
    if not list_file.is_file():
        raise InputError(f"the list of pictures {str(list_file)!r} does not exist")
    try:
        columns = parquet.read_schema(list_file).names
        if _COLUMN not in columns and len(columns) != 1:
            raise InputError(f"{str(list_file)!r} has no column {_COLUMN!r}; it has {', '.join(columns)}")
        column = _COLUMN if _COLUMN in columns else columns[0]
        values: list[str] = parquet.read_table(list_file, columns=[column]).column(0).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise InputError(f"{str(list_file)!r} is no Parquet file: {str(error).splitlines()[0]}") from error
    if not all(isinstance(value, str) and value for value in values):
        raise InputError(f"the column {column!r} of {str(list_file)!r} holds more than paths")
    return values
