"""What every task gives its user: a pipeline, which is a model to call, and the results that it answers with."""

import os
import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np

from edgevision.core.errors import InputError, NotFiniteError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Array, Engine

if TYPE_CHECKING:
    from PIL import Image

# An error lists no more classes.
_MOST_CLASSES = 30
_UNNAMED = re.compile(r"class \d+")


@runtime_checkable
class Result(Protocol):
    """The answer for one input: what a task says of a picture, or the picture that it made.

    It is written as JSON (:meth:`to_dict`), as lines of a table (:meth:`to_rows`) or as a file (:meth:`save`), and
    compared with another answer for the same input. Where it is made of numbers, ``numpy.asarray`` gives them.
    """

    def to_dict(self) -> dict[str, Any]:
        """What a JSON document can hold of it: text, numbers, lists and dictionaries, all of them finite."""
        ...

    def to_rows(self) -> list[dict[str, str | int | float]]:
        """The lines of a table, as for CSV: none where there is nothing to say, the same columns in each."""
        ...

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write it as a file whose ending sets the format.

        Raises:
            OutputError: the ending is none that it can be written as, or the folder cannot be, or without ``force`` the
                file exists.
            DiskFullError: no space left; an earlier file is untouched.
        """
        ...

    def compare(self, reference: Self) -> Mapping[str, float]:
        """How near this comes to the ``reference`` for the same input, by the task's own figures: ``psnr`` in dB, ...

        Raises:
            ValueError: they are of different sizes, or of different classes.
        """
        ...


@runtime_checkable
class Drawable(Protocol):
    """A result that is a picture, or several: shown by a notebook, and handed to Pillow."""

    def to_pillow(self) -> "Image.Image":
        """The picture in one of Pillow's modes; of several it is a sheet of all."""
        ...

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        ...


class Pipeline(Protocol):
    """A model on an engine, made from that and from what the model file says about itself; call it on inputs.

    A class of a task derives from this and is made as ``(engine, metadata, **options)``. Called on one input it gives
    one :class:`Result`; on a list of them, or an array of them, a list in the same order. It is a context manager, and
    leaving it frees the model.

    Attributes:
        engine: what runs the model; it may be replaced by another for the same model, as one that watches.
        metadata: what the model file says about itself.
        at_once: how many inputs are worth being processed at the same time, each in a thread of its own: 1 where the
            engine itself uses all cores.
    """

    engine: Engine
    metadata: ModelMetadata
    at_once: int = 1

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The result for one input, or a list of those for several; a task's own signature says what it takes.

        Raises:
            ImageError: an input cannot be read.
            NotFiniteError: the model's answer has NaN or Inf.
            DeviceError: the device failed.
        """
        ...

    def close(self) -> None:
        """Free the model's memory; the pipeline cannot be used any more."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.metadata.name!r}, on {self.engine.name}, {self.engine.device})"


def require_finite(output: Array, engine: Engine) -> Any:
    """What ``engine`` gave, without NaN and Inf, of which a picture would be black, and a label any.

    Raises:
        NotFiniteError: it has some, as where 16-bit floats end at 65504.
    """
    if np.isfinite(output).all():
        return output
    raise NotFiniteError(
        f"{int((~np.isfinite(output)).sum())} of {output.size} values that the model gave are not finite"
        f" ({engine.name} on {engine.device}); see with `edgevision verify` whether the file is to blame, and try a"
        " float32 export or another --device"
    )


def findable(knowing: Any) -> tuple[str, ...]:
    """The classes that can be among the answers of a pipeline, or of one of that spec: its labels but a background."""
    background = getattr(knowing, "background", None)
    return tuple(label for index, label in enumerate(getattr(knowing, "labels", ())) if index != background)


def check_classes(pipeline: Any, classes: Sequence[str]) -> None:
    """Raise :class:`InputError` for a class that cannot be among the answers, or is no ``class N`` of unnamed ones."""
    labels = findable(pipeline)
    for name in classes:
        if name not in labels if labels else not _UNNAMED.fullmatch(name):
            known = (
                ", ".join(labels[:_MOST_CLASSES]) or "its classes have no names, and are called class 0, class 1, ..."
            )
            raise InputError(f"{name!r} is no class that {pipeline.metadata.name!r} knows: {known}")
