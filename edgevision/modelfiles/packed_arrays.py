"""Arrays as text, for a metadata document."""

import base64
import binascii
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 64 << 20


def packed(arrays: Mapping[str, NDArray[Any]]) -> str:
    """A NumPy archive in base64."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return base64.b64encode(stream.getvalue()).decode("ascii")


def unpacked(text: str) -> dict[str, NDArray[Any]]:
    """What :func:`packed` made; :class:`ValueError` for anything else."""
    try:
        with np.load(io.BytesIO(base64.b64decode(text, validate=True)), allow_pickle=False) as archive:
            if sum(entry.file_size for entry in archive.zip.infolist()) > _MOST_BYTES:
                raise ValueError(f"it unpacks to more than {_MOST_BYTES >> 20} MB")
            return dict(archive)
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, binascii.Error) as error:
        raise ValueError(f"its packed arrays cannot be unpacked: {error}") from error
