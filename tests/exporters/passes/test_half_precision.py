"""Half precision inside, float32 at the door."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.passes.half_precision import to_half
from edgevision.runtime.devices.opening import open_engine


@pytest.fixture
def half(classifier_conversion: Conversion) -> onnx.ModelProto:
    return to_half(copy.deepcopy(classifier_conversion.model))


def test_weights_are_half_and_inputs_and_outputs_are_not(half: onnx.ModelProto) -> None:
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16}
    kinds = {tensor.data_type for tensor in half.graph.initializer} & floats
    assert kinds == {TensorProto.FLOAT16}
    ends = [*half.graph.input, *half.graph.output]
    assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}
    assert [value.name for value in ends] == ["image", "logits"]


def test_it_computes_the_same_to_the_precision_of_half(
    half: onnx.ModelProto, classifier: nn.Module, tmp_path: Path, sqnr: Callable[[object, object], float]
) -> None:
    (tmp_path / "half.onnx").write_bytes(half.SerializeToString())
    images = torch.rand(6, 3, 8, 8)
    with open_engine(tmp_path / "half.onnx") as engine, torch.inference_mode():
        assert 50 < sqnr(classifier(images), engine.run({"image": images.numpy()})[0]) < 100


def test_values_beyond_the_range_of_half_are_clamped_without_a_word(classifier_conversion: Conversion) -> None:
    model = copy.deepcopy(classifier_conversion.model)
    bias = next(tensor for tensor in model.graph.initializer if tensor.dims == [4])
    bias.CopyFrom(numpy_helper.from_array(np.float32([1e9, -1e9, 1e-12, 1]), bias.name))
    found = next(tensor for tensor in to_half(model).graph.initializer if tensor.name == bias.name)
    values = numpy_helper.to_array(found)
    assert np.isfinite(values).all()
    assert abs(values[0]) > 9000
    assert values[3] == 1
