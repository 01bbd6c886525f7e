"""Which environment a board is prepared with."""

import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.remote.board_reports import BoardFacts
from edgevision.runtime.remote.environment import Environment, Setup, own_setup, required_extras
from edgevision.runtime.remote.software import Code, RequirementsWheel, Software

ONNX, OPENVINO = ModelFormat.ONNX, ModelFormat.OPENVINO


@pytest.mark.parametrize(
    ("formats", "devices", "architecture", "extras"),
    [
        ({ONNX}, ["cpu"], "aarch64", ("cpu",)),
        ({OPENVINO}, ["cpu"], "x86_64", ("openvino",)),
        ({ONNX, OPENVINO}, ["cpu"], "x86_64", ("cpu", "openvino")),
        ({ONNX}, ["openvino:cpu"], "x86_64", ("openvino",)),
        ({ONNX}, ["cuda"], "x86_64", ("gpu",)),
        ({ONNX}, ["cpu", "tensorrt:1"], "x86_64", ("gpu",)),
        ({ONNX}, ["npu"], "aarch64", ("qnn",)),
        ({ONNX}, ["npu"], "x86_64", ("openvino",)),
        ({OPENVINO}, ["npu"], "x86_64", ("openvino",)),
        ({ONNX}, ["qnn:npu"], "x86_64", ("qnn",)),
        ({ONNX}, ["auto"], "aarch64", ("cpu",)),
        ({OPENVINO}, ["cuda"], "x86_64", ("cpu",)),
    ],
)
def test_the_extras_follow_the_models_the_devices_and_the_board(formats, devices, architecture, extras):
    assert required_extras(formats, devices, architecture) == extras


def test_an_unknown_device_is_refused():
    with pytest.raises(DeviceError, match="there is no device 'tpu'"):
        required_extras({ONNX}, ["tpu"], "aarch64")
    with pytest.raises(DeviceError, match="there is no device 'tpu'"):
        own_setup({ONNX}, ["cpu", "tpu"], None)


def software(code="c" * 32, requirements="f" * 12):
    return Software(Code(code, b""), RequirementsWheel("edgevision-1-py3-none-any.whl", requirements, b""))


def test_the_cuda_of_a_jetsons_own_python_is_used():
    setup = Setup(software(), {ONNX}, ["cuda"])
    facts = BoardFacts(
        system="linux", python="/usr/bin/python3", version="3.11.2", architecture="aarch64", bits=64, name="jetson",
        free_bytes=1, has_venv=True, has_cuda=True,
    )  # fmt: skip
    assert setup.may_use_cuda
    environment = setup.environment(facts)
    assert (environment.extras, environment.system_site_packages) == ((), True)
    assert environment.key == "system-ffffffffffff"
    assert setup.environment(facts.updated(has_cuda=False)).extras == ("gpu",)


def test_another_code_is_another_job_in_the_same_environment():
    softwares = (software(), software(code="d" * 32), software(requirements="e" * 12))
    first, edited, richer = (Environment(each, ("cpu",)) for each in softwares)
    assert first.key == edited.key != richer.key
    assert len({each.identity for each in (first, edited, richer)}) == 3
