"""Models whose inputs OpenVINO takes and NumPy does not know."""

import pytest

pytest.importorskip("openvino")
onnx = pytest.importorskip("onnx")

from edgevision.core.errors import ModelFileError  # noqa: E402
from edgevision.runtime.devices.opening import open_engine  # noqa: E402


@pytest.mark.parametrize(("kind", "name"), [("BFLOAT16", "bf16"), ("STRING", "string")])
def test_an_input_that_no_array_holds_is_refused(tmp_path, kind, name):
    values = [onnx.helper.make_tensor_value_info(side, getattr(onnx.TensorProto, kind), ("n",)) for side in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match=f"'m.onnx' takes what no NumPy array holds: 'x' {name}"):
        open_engine(tmp_path / "m.onnx", "openvino:cpu")
