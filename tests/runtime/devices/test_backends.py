import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.devices.backends import BACKENDS, find_backends


def test_every_exact_name_stands_once_in_the_table_and_every_format_a_device():
    names = [backend.name for backend in BACKENDS]
    assert len(set(names)) == len(names)
    for kind in set(ModelFormat) - {ModelFormat.CHECKPOINT}:
        assert any(
            backend.device == ("npu" if kind is ModelFormat.RKNN else "cpu") and kind in backend.engine.formats
            for backend in BACKENDS
        )


@pytest.mark.parametrize(
    ("device", "names", "index"),
    [
        ("cpu", ("ort:cpu", "openvino:cpu", "litert:cpu", "ncnn:cpu"), 0),
        ("cuda:1", ("ort:cuda",), 1),
        ("npu", ("openvino:npu", "qnn:npu", "rknn:npu", "ort-openvino:npu"), 0),
        ("openvino:npu", ("openvino:npu",), 0),
        ("openvino:gpu:2", ("openvino:gpu",), 2),
    ],
)
def test_names_numbers_and_exact_names_are_understood(device, names, index):
    backends, found = find_backends(device)
    assert (tuple(backend.name for backend in backends), found) == (names, index)


@pytest.mark.parametrize(
    "device",
    ["tpu", "cpu:", ":0", "cuda:x", "cuda:-1", "qnn", "qnn:cuda", "cuda:٣", "", "ort:cpu:0:0"],
)
def test_what_is_no_device_is_refused_with_the_known_ones(device):
    with pytest.raises(DeviceError, match="known: auto, cpu, cuda, tensorrt, gpu, npu"):
        find_backends(device)


@pytest.mark.parametrize("number", ["9" * 5000, "99999", "٣", "-1"])
def test_a_device_number_that_cannot_be_meant_is_no_device(number):
    with pytest.raises(DeviceError, match="there is no device 'cpu:"):
        find_backends(f"cpu:{number}")
