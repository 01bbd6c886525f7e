"""What OpenVINO cannot compile is an error of the model's device, whatever OpenVINO fails at."""

import pytest

pytest.importorskip("openvino")
onnx = pytest.importorskip("onnx")

import edgevision.runtime.engines.openvino_engine as openvino_engine  # noqa: E402
from edgevision.core.errors import DeviceError  # noqa: E402
from edgevision.runtime.devices.opening import open_engine  # noqa: E402


def test_a_graph_that_openvino_can_neither_compile_nor_look_at_is_refused(tmp_path, monkeypatch):
    core = openvino_engine.openvino_core()

    class FailingCore:
        """Fails at its own rewriting of int8 graphs, as it was seen to around DepthToSpace."""

        def __getattr__(self, name):
            return getattr(core, name)

        def compile_model(self, *_):
            raise RuntimeError("Exception from core.cpp:256:\nArgument shapes are inconsistent.\n\n")

        query_model = compile_model

    monkeypatch.setattr(openvino_engine, "openvino_core", FailingCore)
    values = [onnx.helper.make_tensor_value_info(side, onnx.TensorProto.FLOAT, ("n",)) for side in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(DeviceError, match=r"cannot compile 'm.onnx' for cpu: Argument shapes are inconsistent\."):
        open_engine(tmp_path / "m.onnx", "openvino:cpu")
