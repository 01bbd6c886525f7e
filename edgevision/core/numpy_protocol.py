"""How an object of ours becomes an array: what ``__array__`` is asked for since NumPy 2."""

from typing import Any

from numpy.typing import NDArray


def requested_array(array: NDArray[Any], dtype: Any, copy: bool | None, *, shared: bool) -> NDArray[Any]:
    """``array`` as ``__array__(dtype, copy)`` hands it out; ``shared`` is whether it is the object's own memory.

    Raises:
        ValueError: no copy is allowed, and without one it cannot be had.
    """
    converted = array if dtype is None else array.astype(dtype, copy=False)
    if copy is False and (converted is not array or not shared):
        raise ValueError("this cannot be had as an array without a copy; leave copy=False away")
    return converted.copy() if copy and shared and converted is array else converted
