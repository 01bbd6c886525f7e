import sys

import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.model_file import ModelFormat, require_metadata
from edgevision.runtime.devices import availability as presence
from edgevision.runtime.devices import cuda_driver
from edgevision.runtime.devices import opening as table
from edgevision.runtime.devices.opening import WAYS, find_ways, open_engine


@pytest.fixture
def only(monkeypatch):
    """Let just these ways be there, for everybody who asks."""

    def choose(*names: str) -> None:
        def absence(way, index=0, *, exact=False):
            return None if way.name in names and index == 0 else f"no {way.name}"

        monkeypatch.setattr(presence, "absence", absence)

    return choose


def test_every_exact_name_stands_once_in_the_table_and_every_format_has_a_cpu():
    names = [way.name for way in WAYS]
    assert len(set(names)) == len(names)
    for kind in (ModelFormat.ONNX, ModelFormat.OPENVINO):
        assert any(way.word == "cpu" and kind in way.engine.formats for way in WAYS)


@pytest.mark.parametrize(
    ("device", "names", "index"),
    [
        ("cpu", ("ort:cpu", "openvino:cpu"), 0),
        ("cuda:1", ("ort:cuda",), 1),
        ("npu", ("openvino:npu", "qnn:npu", "ort-openvino:npu"), 0),
        ("openvino:npu", ("openvino:npu",), 0),
        ("openvino:gpu:2", ("openvino:gpu",), 2),
    ],
)
def test_words_numbers_and_exact_names_are_understood(device, names, index):
    ways, found = find_ways(device)
    assert (tuple(way.name for way in ways), found) == (names, index)


@pytest.mark.parametrize(
    "device",
    ["tpu", "cpu:", ":0", "cuda:x", "cuda:-1", "qnn", "qnn:cuda", "cuda:٣", "", "ort:cpu:0:0"],
)
def test_what_is_no_device_is_refused_with_the_known_ones(device):
    with pytest.raises(DeviceError, match="known: auto, cpu, cuda, tensorrt, gpu, npu"):
        find_ways(device)


def test_the_first_engine_that_is_there_serves_a_word(write_colours, only):
    only("openvino:cpu")
    with open_engine(write_colours(), "cpu") as engine:
        assert engine.name.startswith("OpenVINO")
        assert engine.device == "cpu"


def test_an_exact_name_is_never_served_by_another_engine(write_colours, only):
    only("ort:cpu")
    with pytest.raises(DeviceError, match=r"no 'openvino:cpu' here.*: no openvino:cpu\nto have it: .*pip install"):
        open_engine(write_colours(), "openvino:cpu")


def test_an_absent_device_names_every_way_to_it(write_colours, only):
    only("ort:cpu")
    with pytest.raises(DeviceError) as caught:
        open_engine(write_colours(), "npu")
    message = str(caught.value)
    assert caught.value.exit_code == 3
    for way in find_ways("npu")[0]:
        assert f"no {way.name}" in message
    assert f"to have it: {find_ways('npu')[0][0].remedy}; `edgevision devices` names the other ways" in message


def test_a_device_that_does_not_read_the_format_says_which_do(write_colours):
    with pytest.raises(DeviceError, match=r"\.xml models run on openvino:cpu, openvino:gpu, openvino:npu, not on"):
        open_engine(write_colours("colours.xml"), "cuda")


def test_the_second_of_one_device_is_absent(write_colours):
    with pytest.raises(DeviceError, match="there is one CPU, number 0"):
        open_engine(write_colours(), "ort:cpu:1")


def test_auto_takes_the_gpu_before_the_cpu_and_says_why_not(write_colours, only, monkeypatch, caplog):
    only("ort:cpu")
    caplog.set_level("INFO", "edgevision")
    with open_engine(write_colours(), "auto") as engine:
        assert engine.device == "cpu"
    assert "auto takes ort:cpu for colours.onnx; no ort:cuda: no ort:cuda" in caplog.text
    only("ort:cpu", "ort:cuda")
    kind = ModelFormat.ONNX
    assert table._chosen_for(write_colours(), kind).name == "ort:cuda"


@pytest.mark.parametrize(("target", "name"), [("qualcomm-htp", "qnn:npu"), ("intel-npu", "openvino:npu")])
def test_auto_tries_the_npu_that_a_model_was_made_for(write_colours, only, target, name):
    only("ort:cpu", "qnn:npu", "openvino:npu", "ort:cuda")
    path = write_colours(metadata=require_metadata(write_colours()).updated(target=target))
    assert table._chosen_for(path, ModelFormat.ONNX).name == name


def test_without_any_engine_auto_says_what_is_missing(write_colours, only):
    only()
    with pytest.raises(DeviceError, match=r"nothing here runs 'colours\.onnx': ort:cuda: .*; ort:cpu: "):
        open_engine(write_colours(), "auto")


def test_a_package_that_is_not_installed_and_one_that_is_broken_are_told_apart(monkeypatch):
    way = find_ways("openvino:cpu")[0][0]
    monkeypatch.setattr(presence, "find_spec", lambda name: None)
    assert presence.absence(way) == "openvino is not installed"
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(presence, "find_spec", lambda name: object())
    assert "openvino is broken" in (presence.absence(way) or "")


def test_a_gpu_without_a_driver_is_absent_whatever_the_wheel_offers(monkeypatch):
    monkeypatch.setattr(cuda_driver, "_LIBRARY", "libcuda-that-is-not-there.so.1")
    way = find_ways("cuda")[0][0]
    assert presence.absence(way) == "no NVIDIA driver is installed (libcuda-that-is-not-there.so.1 is missing)"


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
    assert cuda_driver.absence(index) == reason


def test_a_gpu_is_described_by_what_compiled_models_depend_on(monkeypatch):
    monkeypatch.setattr(cuda_driver.ctypes, "CDLL", lambda name: FakeDriver(1))
    assert cuda_driver.describe_gpu() == "NVIDIA Orin 8.7, CUDA 12.6"
    with pytest.raises(DeviceError, match="one NVIDIA GPU"):
        cuda_driver.describe_gpu(1)


@pytest.mark.parametrize("number", ["9" * 5000, "99999", "٣", "-1"])
def test_a_device_number_that_cannot_be_meant_is_no_device(number):
    with pytest.raises(DeviceError, match="there is no device 'cpu:"):
        find_ways(f"cpu:{number}")
