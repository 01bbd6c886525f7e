"""Which extras a board is prepared with."""

import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.remote.extras import wanted_extras
from edgevision.runtime.remote.facts import BoardFacts
from edgevision.runtime.remote.run_job import Needs
from edgevision.runtime.remote.wheel import Wheel

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
    assert wanted_extras(formats, devices, architecture) == extras


def test_an_unknown_device_is_refused():
    with pytest.raises(DeviceError, match="there is no device 'tpu'"):
        wanted_extras({ONNX}, ["tpu"], "aarch64")


def test_the_cuda_of_a_jetsons_own_python_is_used():
    needs = Needs(Wheel("edgevision-1-py3-none-any.whl", "1", "f" * 64, b""), {ONNX}, ["cuda"])
    facts = BoardFacts(
        system="linux", python="/usr/bin/python3", version="3.11.2", architecture="aarch64", bits=64, name="jetson",
        free_bytes=1, has_venv=True, has_cuda=True,
    )  # fmt: skip
    assert needs.may_use_cuda
    environment = needs.environment(facts)
    assert (environment.extras, environment.system_site_packages) == ((), True)
    assert environment.key == "1-ffffffffffff-system"
    assert needs.environment(facts.updated(has_cuda=False)).extras == ("gpu",)
