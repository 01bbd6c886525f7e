"""The tensors that a checkpoint's pickle describes, made from its numbers only after these are checked.

What a pickle may name is what ``torch.save`` writes for weights and the state of optimizers; see
torch/_weights_only_unpickler.py.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgevision.modelfiles.pickle_reader import Builder

_DTYPES = {str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
# The names of storages, as torch.FloatStorage; UntypedStorage counts in bytes.
_STORAGES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
    "Untyped": torch.uint8,
}
_UNREADABLE = {
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_sparse_csr_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor of the device 'meta', which has no values",
    "_rebuild_wrapper_subclass": "a tensor of a class of its own",
    "_rebuild_device_tensor_from_numpy": "a tensor of a device that is not here",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of a device that is not here",
}
_MOST_DIMENSIONS = 64
# Of a tensor that repeats few numbers by strides of zero.
_MOST_REPEATED = 1 << 20


class TrustNeededError(ValueError):
    """A file needs what only its maker can vouch for; the message says what, after the name of the file."""


class UnsupportedTensorError(ValueError):
    """A sound file holds a kind of tensor that is not read here; the message is the kind."""


@dataclass(frozen=True)
class Storage:
    """The numbers that tensors are views of: a flat uint8 tensor, and what its bytes are."""

    data: Tensor
    dtype: torch.dtype

    def view(self, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None = None) -> Tensor:
        """A tensor on it; ``ValueError`` where it would reach outside."""
        if self.data.numel() % (kind := dtype or self.dtype).itemsize:
            raise ValueError(f"it describes {kind} in {self.data.numel()} bytes")
        flat = self.data.view(kind)
        if not (_are_counts(size) and _are_counts(stride) and _are_counts((offset,)) and len(size) == len(stride)):
            raise ValueError("it describes a tensor whose size or stride is none")
        elements = math.prod(size)
        last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True)) if elements else offset
        if last + (elements > 0) > flat.numel():
            raise ValueError(f"it describes a tensor of {_shape(size)} that reaches outside of its data")
        if elements > max(flat.numel(), _MOST_REPEATED):
            raise ValueError(f"it describes a tensor of {_shape(size)} on {flat.numel()} numbers")
        return flat.as_strided(size, stride, offset)

    def part(self, offset: Any, elements: Any) -> "Storage":
        """The storage of some of its elements."""
        start, end = (number * self.dtype.itemsize for number in (offset, offset + elements))
        if not 0 <= start <= end <= self.data.numel():
            raise ValueError("it describes a part outside of its data")
        return Storage(self.data[start:end], self.dtype)


def storage_type(name: str) -> torch.dtype | None:
    """The dtype of a storage class, as ``FloatStorage``; ``None`` where it is none that can be read."""
    return _STORAGES.get(name.removesuffix("Storage")) if name.endswith("Storage") else None


@dataclass(frozen=True)
class StorageClass:
    """What a persistent id names as the kind of its storage."""

    dtype: torch.dtype


def find_global(module: str, name: str) -> Any:
    """What a name in a checkpoint's pickle stands for.

    Raises:
        TrustNeededError: it is code that would have to be run.
        UnsupportedTensorError: a kind of tensor that no network here takes.
    """
    if module in ("torch", "torch.cuda", "torch.storage") and (dtype := storage_type(name)) is not None:
        return StorageClass(dtype)
    if module == "torch" and name in _DTYPES:
        return _DTYPES[name]
    if module == "torch._utils" and name in _UNREADABLE:
        raise UnsupportedTensorError(_UNREADABLE[name])
    if module == "torch" and name.startswith("Q") and name.endswith("Storage"):
        raise UnsupportedTensorError("a quantized tensor")
    if (found := _BUILDERS.get(f"{module}.{name}")) is None:
        full = f"{module}.{name}"
        shown = full if full.isprintable() else ascii(full)
        raise TrustNeededError(f"is no plain file of weights: loading it would run {shown:.200}")
    return found


def _are_counts(values: Any) -> bool:
    return (
        isinstance(values, tuple | list)
        and len(values) <= _MOST_DIMENSIONS
        and all(isinstance(value, int) and 0 <= value < 1 << 62 for value in values)
    )


def _shape(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError("it describes a tensor without data")
    # The last version of PyTorch's function gets a dtype after requires_grad and the hooks.
    dtype = rest[2] if len(rest) > 2 and isinstance(rest[2], torch.dtype) else None
    return storage.view(offset, size, stride, dtype)


def _parameter(data: Any, *rest: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError(f"it has a parameter that is a {type(data).__name__}")
    return data


def _of_type(build: Any, kind: Any, arguments: Any, *state: Any) -> Tensor:
    """A tensor with attributes of its own, which inference does not read."""
    if not isinstance(build, Builder) or build.build not in (_tensor, _parameter) or not isinstance(arguments, tuple):
        raise UnsupportedTensorError("a tensor of a class of its own")
    tensor: Tensor = build.build(*arguments)
    return tensor


def _ordered(items: Any = ()) -> OrderedDict[Any, Any]:
    if isinstance(items, dict):
        return OrderedDict(items)
    if not all(isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], str | int) for item in items):
        raise ValueError("it holds a dict of what are no pairs")
    return OrderedDict(items)


def _counted(items: Any = ()) -> dict[Any, Any]:
    return dict(items) if isinstance(items, dict) else {}


def _size(sides: Any = ()) -> torch.Size:
    if not _are_counts(sides):
        raise ValueError("it holds a size that is none")
    return torch.Size(sides)


def _device(kind: Any = "cpu", index: Any = None) -> str:
    """Its name only: whatever was on it is on the CPU here."""
    return str(kind) if isinstance(kind, str) else "cpu"


def _bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise ValueError(f"it holds bytes that are a {type(text).__name__}")
    return text.encode("latin1")


def _set(items: Any = ()) -> set[Any]:
    if not all(item is None or isinstance(item, str | bytes | int | float) for item in items):
        raise ValueError("it holds a set of what is neither text nor numbers")
    return set(items)


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    return complex(float(real), float(imaginary))


def _numpy_type(name: Any, *flags: Any) -> np.dtype[Any]:
    kinds = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
    if not isinstance(name, str) or name not in kinds:
        raise ValueError("it holds a number of NumPy's of a kind that is none of Python's")
    return np.dtype(name)


def _numpy_number(kind: Any, data: Any = b"") -> Any:
    """What trainers note beside the weights, the best accuracy, say."""
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise ValueError("it holds a number of NumPy's without its bytes")
    return np.frombuffer(data, kind)[0].item()


def _name_only(*arguments: Any) -> Any:
    raise ValueError("it makes a tensor out of nothing")


_BUILDERS: dict[str, Builder] = {
    name: Builder(name, build)
    for name, build in dict[str, Callable[..., Any]](
        {
            "collections.OrderedDict": _ordered,
            "collections.Counter": _counted,
            "torch._utils._rebuild_tensor": _tensor,
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_tensor_v3": _tensor,
            "torch._utils._rebuild_parameter": _parameter,
            "torch._utils._rebuild_parameter_with_state": _parameter,
            "torch._tensor._rebuild_from_type_v2": _of_type,
            "torch.Tensor": _name_only,
            "torch.nn.parameter.Parameter": _name_only,
            "torch.Size": _size,
            "torch.device": _device,
            "torch.serialization._get_layout": lambda name: name,
            "_codecs.encode": _bytes,
            "builtins.bytearray": _bytes,
            "builtins.set": _set,
            "builtins.complex": _complex,
            "numpy.dtype": _numpy_type,
            "numpy.core.multiarray.scalar": _numpy_number,
            "numpy._core.multiarray.scalar": _numpy_number,
        }
    ).items()
}
