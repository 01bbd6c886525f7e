import sys

from edgevision.runtime.devices import availability
from edgevision.runtime.devices.backends import find_backends
from edgevision.runtime.engines import cuda_driver


def test_a_package_that_is_not_installed_and_one_that_is_broken_are_distinguished(monkeypatch):
    backend = find_backends("openvino:cpu")[0][0]
    monkeypatch.setattr(availability, "find_spec", lambda name: None)
    assert availability.unavailable_reason(backend) == "openvino is not installed"
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(availability, "find_spec", lambda name: object())
    assert "openvino is broken" in (availability.unavailable_reason(backend) or "")


def test_a_gpu_without_a_driver_is_absent_whatever_the_wheel_offers(monkeypatch):
    monkeypatch.setattr(cuda_driver, "_LIBRARY", "libcuda-that-is-not-there.so.1")
    backend = find_backends("cuda")[0][0]
    assert (
        availability.unavailable_reason(backend)
        == "no NVIDIA driver is installed (libcuda-that-is-not-there.so.1 is missing)"
    )
