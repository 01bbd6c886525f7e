"""What NVIDIA's driver says of the GPUs here, asked without any CUDA package."""

import ctypes
import os

from edgevision.core.errors import DeviceError

_LIBRARY = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"


def unavailable_reason(index: int = 0) -> str | None:
    """Why there is no GPU of that index, or ``None`` where there is."""
    try:
        count = _count(_driver())
    except DeviceError as error:
        return str(error)
    if index < count:
        return None
    return f"there are {count} NVIDIA GPUs, counted from 0" if count > 1 else "there is one NVIDIA GPU, number 0"


def describe_gpu(index: int = 0) -> str:
    """Name, compute capability and driver, as in ``NVIDIA Orin 8.7, CUDA 12.6``; :class:`DeviceError` without one."""
    driver = _driver()
    if index >= _count(driver):
        raise DeviceError(unavailable_reason(index) or "")
    device, major, minor, version = (ctypes.c_int() for _ in range(4))
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h.
    driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    driver.cuDriverGetVersion(ctypes.byref(version))
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return f"{name.value.decode(errors='replace')} {major.value}.{minor.value}, CUDA {cuda}"


def _driver() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise DeviceError(f"no NVIDIA driver is installed ({_LIBRARY} is missing)") from error


def _count(driver: ctypes.CDLL) -> int:
    code = driver.cuInit(0)
    if code:
        raise DeviceError(f"the NVIDIA driver does not start (CUDA error {code})")
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    if count.value == 0:
        raise DeviceError("the NVIDIA driver sees no GPU")
    return count.value
