"""The models of the device side's tests are ones that the onnx package reads, too."""

import numpy as np
import onnx
from onnx_writer import node, onnx_model

from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata


def test_what_is_written_without_the_onnx_package_is_read_by_it():
    metadata = ModelMetadata(task="other", name="tiny")
    weights = {
        "filters": np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3),
        "shape": np.int64([-1, 18]),
    }
    content = onnx_model(
        [
            node("Conv", ["x", "filters"], ["maps"], pads=[1, 1, 1, 1], auto_pad="NOTSET", group=1),
            node("LeakyRelu", ["maps"], ["bent"], alpha=0.25),
            node("Reshape", ["bent", "shape"], ["y"]),
        ],
        {"x": ("batch", 3, 3, 3)},
        {"y": ("batch", 18)},
        weights,
        metadata,
    )
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [(p.key, p.value) for p in model.metadata_props] == [(METADATA_KEY, metadata.to_json())]
    read = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, values in weights.items():
        np.testing.assert_array_equal(read[name], values)
        assert read[name].dtype == values.dtype
    attributes = {a.name: onnx.helper.get_attribute_value(a) for n in model.graph.node for a in n.attribute}
    assert attributes == {"pads": [1, 1, 1, 1], "auto_pad": b"NOTSET", "group": 1, "alpha": 0.25}
    (dims,) = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input]
    assert dims == ["batch", 3, 3, 3]
