import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.model_file import ModelFormat, require_metadata
from edgevision.runtime.devices import availability, opening
from edgevision.runtime.devices.backends import find_backends
from edgevision.runtime.devices.opening import open_engine


@pytest.fixture
def only(monkeypatch):
    """Let just these backends be available, for everybody who asks."""

    def choose(*names: str) -> None:
        def unavailable_reason(backend, index=0, *, simulators=False):
            return None if backend.name in names and index == 0 else f"no {backend.name}"

        monkeypatch.setattr(availability, "unavailable_reason", unavailable_reason)

    return choose


def test_the_first_engine_that_is_there_serves_a_device(write_colours, only, need):
    need("openvino")
    only("openvino:cpu")
    with open_engine(write_colours(), "cpu") as engine:
        assert engine.name.startswith("OpenVINO")
        assert engine.device == "cpu"


def test_an_exact_name_is_never_served_by_another_engine(write_colours, only):
    only("ort:cpu")
    with pytest.raises(DeviceError, match=r"no 'openvino:cpu' here.*: no openvino:cpu\nto have it: .*pip install"):
        open_engine(write_colours(), "openvino:cpu")


def test_an_absent_device_names_every_backend_of_the_format(write_colours, only):
    only("ort:cpu")
    with pytest.raises(DeviceError) as caught:
        open_engine(write_colours(), "npu")
    message = str(caught.value)
    assert caught.value.exit_code == 3
    for backend in find_backends("npu")[0]:
        assert (f"no {backend.name}" in message) == (ModelFormat.ONNX in backend.engine.formats)
    assert f"to have it: {find_backends('npu')[0][0].remedy}; `edgevision devices` names the other engines" in message


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
    assert opening._automatic(write_colours(), ModelFormat.ONNX, None).name == "ort:cuda"


@pytest.mark.parametrize(("target", "name"), [("qualcomm-htp", "qnn:npu"), ("intel-npu", "openvino:npu")])
def test_auto_tries_the_npu_that_a_model_was_made_for(write_colours, only, target, name):
    only("ort:cpu", "qnn:npu", "openvino:npu", "ort:cuda")
    path = write_colours()
    metadata = require_metadata(path).updated(target=target)
    assert opening._automatic(path, ModelFormat.ONNX, metadata).name == name


def test_without_any_engine_auto_says_what_is_missing(write_colours, only):
    only()
    with pytest.raises(DeviceError, match=r"nothing here runs 'colours\.onnx': ort:cuda: .*; ort:cpu: "):
        open_engine(write_colours(), "auto")
