"""Denormal numbers taken for zero while an engine computes, and only then.

ONNX Runtime's ``session.set_denormal_as_zero`` holds for the threads of the session. The thread that calls it works
along and stays what the first session of the process made of it, with all else that it computes; OpenVINO leaves it so,
too. On x86 under glibc its mode (the bits FTZ and DAZ of MXCSR) is therefore set around each call and given back;
elsewhere it is left to the libraries.
"""

import ctypes
import os
import platform
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

# Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 10.2.3: flush to zero, denormals are zeros.
_AS_ZERO = 1 << 15 | 1 << 6


# glibc's fenv_t on x86-64 is seven words for the x87, and MXCSR, the register of SSE and AVX.
_Environment = ctypes.c_uint32 * 8
_MXCSR = 7


def denormals_as_zero(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """``function``, during which the thread that calls it takes denormal numbers for zero."""
    library = _library()
    if library is None:
        return function
    get, put = library.fegetenv, library.fesetenv

    @wraps(function)
    def flushing(*given: _Given.args, **options: _Given.kwargs) -> _Result:
        environment = _Environment()
        get(environment)
        before = environment[_MXCSR]
        environment[_MXCSR] = before | _AS_ZERO
        put(environment)
        try:
            return function(*given, **options)
        finally:
            environment[_MXCSR] = before
            put(environment)

    return flushing


@cache
def _library() -> Any:
    """glibc's mathematics where it is known how they lay out what is set, else ``None``."""
    if platform.machine() != "x86_64" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return None
        return ctypes.PyDLL("libm.so.6")  # to let other threads run would take longer than the call
    except (AttributeError, ValueError, OSError):  # another system or library
        return None
