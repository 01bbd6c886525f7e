import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.engines import cuda_driver


class FakeDriver:
    """The few functions of libcuda that are asked, for a machine with ``count`` GPUs."""

    def __init__(self, count: int, error: int = 0) -> None:
        self.count, self.error = count, error

    def cuInit(self, flags):  # noqa: N802
        return self.error

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self.count
        return 0

    def cuDeviceGet(self, device, index):  # noqa: N802
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, name, size, device):  # noqa: N802
        name.value = b"NVIDIA Orin"
        return 0

    def cuDeviceGetAttribute(self, value, attribute, device):  # noqa: N802
        value._obj.value = {75: 8, 76: 7}[attribute]
        return 0

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = 12060
        return 0


@pytest.mark.parametrize(
    ("driver", "index", "reason"),
    [
        (FakeDriver(1), 0, None),
        (FakeDriver(2), 1, None),
        (FakeDriver(1), 1, "there is one NVIDIA GPU, number 0"),
        (FakeDriver(2), 5, "there are 2 NVIDIA GPUs, counted from 0"),
        (FakeDriver(0), 0, "the NVIDIA driver sees no GPU"),
        (FakeDriver(1, error=999), 0, "the NVIDIA driver does not start (CUDA error 999)"),
    ],
)
def test_the_driver_is_asked_which_gpus_are_there(monkeypatch, driver, index, reason):
    monkeypatch.setattr(cuda_driver.ctypes, "CDLL", lambda name: driver)
    assert cuda_driver.unavailable_reason(index) == reason


def test_a_gpu_is_described_by_what_compiled_models_depend_on(monkeypatch):
    monkeypatch.setattr(cuda_driver.ctypes, "CDLL", lambda name: FakeDriver(1))
    assert cuda_driver.describe_gpu() == "NVIDIA Orin 8.7, CUDA 12.6"
    with pytest.raises(DeviceError, match="one NVIDIA GPU"):
        cuda_driver.describe_gpu(1)
