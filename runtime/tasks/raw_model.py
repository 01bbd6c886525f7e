"""Any model as it is: arrays in, all outputs out."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError, ModelFileError, OutputError
from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.pipeline import Pipeline

# More numbers than anybody reads; a file holds any number.
_MOST_NUMBERS = 100_000


class Outputs:
    """All outputs of a model for one call, by name, in the model's order."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The only output; :class:`ValueError` where there are several."""
        if len(self.arrays) > 1:
            raise ValueError(f"there are {len(self.arrays)} outputs, take one by name: {', '.join(self.arrays)}")
        (array,) = self.arrays.values()
        return requested_array(array, dtype, copy, shared=True)

    def __repr__(self) -> str:
        return f"Outputs({', '.join(f'{name}: {_described(array)}' for name, array in self.arrays.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Shape, type and values of each output, a value that is not finite as text.

        Raises:
            OutputError: more than 100,000 values, which belong into a file.
        """
        return {
            name: {"shape": list(array.shape), "dtype": str(array.dtype), "values": _values(name, array)}
            for name, array in self.arrays.items()
        }

    def to_rows(self) -> list[dict[str, str | int | float]]:
        """A line for each output: what it is, and what its values are like."""
        return [{"output": name, "type": _described(array), **_summary(array)} for name, array in self.arrays.items()]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write an ``.npz`` with an array for each output, or an ``.npy`` of the only one.

        Raises:
            OutputError: another ending, ``.npy`` for several, or the file exists and ``force`` is not given.
        """
        target = Path(path)
        check_ending(target, len(self.arrays))
        with atomic_file(target, force=force) as temporary, temporary.open("wb") as file:
            if target.suffix == ".npz":
                _write_arrays(file, self.arrays)
            else:
                np.save(file, next(iter(self.arrays.values())))

    def compare(self, reference: Self) -> Mapping[str, float]:
        """SQNR in dB of each output; :class:`ValueError` for others than those of ``reference``."""
        shapes = [{name: array.shape for name, array in one.arrays.items()} for one in (self, reference)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the outputs are {shapes[0]} and {shapes[1]}")
        return {name: sqnr_db(_float(reference[name]), _float(array)) for name, array in self.arrays.items()}


class RawModel(Pipeline):
    """A model on an engine, of which nothing is known but its inputs and outputs; call it on those inputs.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``, which this closes in turn.

        Raises:
            ModelFileError: an input or output is no array of numbers, as a sequence or bfloat16.
        """
        for kind, specs in (("input", engine.inputs), ("output", engine.outputs)):
            for spec in specs:
                if not _is_numeric(spec.dtype):
                    raise ModelFileError(
                        f"{kind} {spec.name!r} of {metadata.name!r} is {spec.dtype}, for which NumPy has no array of"
                        " numbers; export the model with another type"
                    )
        self.engine = engine
        self.metadata = metadata
        single = len(engine.inputs) == 1 and metadata.image is not None
        self._preprocess = Preprocessor(metadata.image) if single and metadata.image is not None else None

    def __call__(self, inputs: ImageSource | Mapping[str, ArrayLike] | None = None, **arrays: ArrayLike) -> Outputs:
        """All outputs for arrays by the name of the input, batch included, or for a picture where the model takes one.

        A type of the same kind is converted where no value is lost but precision.

        Raises:
            InputError: an input is missing, unknown, or of a shape or type that the model does not take.
            ImageError: a picture cannot be decoded.
            DeviceError: the device failed.
        """
        if inputs is not None and not isinstance(inputs, Mapping):
            arrays = {self.engine.inputs[0].name: self._picture(inputs)} | arrays
        elif inputs is not None:
            arrays = {**inputs, **arrays}
        known = [spec.name for spec in self.engine.inputs]
        if sorted(arrays) != sorted(known):
            takes, given = (", ".join(names) or "nothing" for names in (known, arrays))
            raise InputError(f"{self.metadata.name!r} takes {takes}, and was given {given}")
        tensors = {spec.name: _fitted(spec, np.asarray(arrays[spec.name])) for spec in self.engine.inputs}
        if known:
            self._check_sides(tensors[known[0]].shape)
        names = [spec.name for spec in self.engine.outputs]
        return Outputs(dict(zip(names, self.engine.run(tensors), strict=True)))

    def _check_sides(self, shape: tuple[int, ...]) -> None:
        """Refuse a picture (N, C, H, W) that the engine would only fail on, somewhere in the graph."""
        tile = self.metadata.tile
        if tile is None or len(shape) != 4 or all(tile.padded(side) == side for side in shape[2:]):
            return
        height, width = shape[2:]
        raise InputError(
            f"{self.metadata.name!r} takes pictures whose sides are multiples of {tile.multiple}, at least"
            f" {tile.padded(1)}, not {width}x{height}; crop, pad or scale it, as to"
            f" {tile.padded(width)}x{tile.padded(height)}"
        )

    def _picture(self, source: ImageSource) -> Array:
        if self._preprocess is None:
            names = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in self.engine.inputs)
            raise InputError(
                f"{self.metadata.name!r} does not say how a picture becomes an input; give arrays, as .npz: {names}"
            )
        return self._preprocess(source)[None]


def check_ending(target: Path, outputs: int) -> None:
    """Refuse a file that the outputs could not be written as."""
    if target.suffix not in (".npz", ".npy") or (target.suffix == ".npy" and outputs > 1):
        several = f" for {outputs} outputs" if outputs > 1 else ""
        raise OutputError(
            f"raw outputs are written as .npz{' or .npy' if outputs == 1 else several}, not {target.name!r}"
        )


def _fitted(spec: TensorSpec, array: NDArray[Any]) -> Array:
    wanted = np.dtype(spec.dtype)
    if array.dtype != wanted:
        if not np.can_cast(array.dtype, wanted, "same_kind"):
            raise InputError(f"input {spec.name!r} is {wanted}, and was given {array.dtype}")
        array = _converted(spec.name, array, wanted)
    fits = len(array.shape) == len(spec.shape) and all(
        isinstance(side, str) or side == own for side, own in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(f"input {spec.name!r} is {'x'.join(map(str, spec.shape))}, and was given {array.shape}")
    return array


def _converted(name: str, array: NDArray[Any], wanted: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    changed = np.isinf(converted) & ~np.isinf(array) if wanted.kind == "f" else converted != array
    if changed.any():
        raise InputError(f"input {name!r} is {wanted}, which cannot hold {array[changed].flat[0]!s} of {array.dtype}")
    return converted


def _is_numeric(dtype: str) -> bool:
    try:
        return np.dtype(dtype).kind in "biuf"
    except TypeError:
        return False


def _write_arrays(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """As :func:`numpy.savez`, for which an output must not be called as one of its own parameters."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _float(array: Array) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)


def _described(array: Array) -> str:
    return f"{array.dtype} {'x'.join(map(str, array.shape)) or 'a single value'}"


def _summary(array: Array) -> dict[str, str | int | float]:
    if array.dtype.kind not in "biuf" or not array.size:
        return {"least": "", "mean": "", "largest": "", "not_finite": 0}
    values = _float(array)
    finite = values[np.isfinite(values)]
    figures = (finite.min(), finite.mean(), finite.max()) if finite.size else ("", "", "")
    least, mean, largest = (float(value) if finite.size else "" for value in figures)
    return {"least": least, "mean": mean, "largest": largest, "not_finite": int(values.size - finite.size)}


def _values(name: str, array: Array) -> Any:
    if array.size > _MOST_NUMBERS:
        raise OutputError(f"output {name!r} holds {array.size:,} values, too many for JSON; -o OUT.npz keeps them all")

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value if not isinstance(value, float) or np.isfinite(value) else str(value)

    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    return plain(array.tolist())
