"""The half of a codec that belongs to the one that is open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgevision.core.errors import InputError, ModelFileError
from edgevision.runtime.load import load
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.spec import CodecHalf


def open_other_half(half: Compressor | Decompressor, judge: Path | None, threads: int | None) -> Any:
    """``judge``, or the half that ships, as what ``half`` is not: a :class:`Decompressor` or a :class:`Compressor`.

    Raises:
        InputError: the half that ships is of another codec.
        ModelFileError: the judge is not the other half, or of another codec.
    """
    task = CodecHalf.DECOMPRESS if isinstance(half, Compressor) else CodecHalf.COMPRESS
    model = judge or shipped_model(task)
    other: Compressor | Decompressor = load(model, threads=threads, task=task)
    if other.codec.name == half.codec.name:
        return other
    other.close()
    if judge is not None:
        raise ModelFileError(f"{str(model)!r} is the half of the codec {other.codec.name}, not of {half.codec.name}")
    part = "decoder" if task is CodecHalf.DECOMPRESS else "encoder"
    raise InputError(
        f"the half that ships is not of this codec, {half.codec.name}: name the one that edgevision export --part"
        f" {part} made of it with --judge"
    )


@contextmanager
def open_codec(
    half: Compressor | Decompressor, judge: Path | None, threads: int | None
) -> Iterator[tuple[Compressor, Decompressor]]:
    """Both halves of a codec of which one is open, and stays so; raises as :func:`open_other_half`."""
    with open_other_half(half, judge, threads) as other:
        yield (half, other) if isinstance(half, Compressor) else (other, half)
