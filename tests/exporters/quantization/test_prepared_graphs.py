"""The float forms that the quantiser starts from."""

import pytest
from onnx.helper import make_node
from quantization_reports import faster
from small_models import assert_same, everything, model_of, operators, random

import edgevision.exporters.passes.transposed_convolutions as transposed_convolutions
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.quantization.prepared_graphs import CanonicalTransposedConvolutions


@pytest.mark.parametrize(("measured", "least", "rewritten"), [(2.0, 1.05, True), (0.8, 1.05, False), (0.8, 0, True)])
def test_a_transposed_convolution_is_rewritten_where_it_is_as_fast_as_asked(
    monkeypatch: pytest.MonkeyPatch, measured: float, least: float, rewritten: bool
) -> None:
    monkeypatch.setattr(transposed_convolutions, "measured_speedup", lambda before, after, feeds: faster(measured))
    layer = make_node("ConvTranspose", ["x", "weight"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    model = canonical(model_of([layer], {"weight": random(3, 4, 4, 4)}))
    result = CanonicalTransposedConvolutions([random(1, 3, 8, 8)], least)(model)
    assert result.modified == rewritten
    found = result.model
    if not rewritten:
        assert found is model
        return
    assert result.notes == ("transposed convolutions as dense layers and convolutions",)
    assert "ConvTranspose" not in operators(found)
    assert all(node.name for node in found.graph.node)
    assert_same(model, found, random(2, 3, 8, 8))


def test_a_model_without_transposed_convolutions_has_nothing_to_rewrite() -> None:
    model = canonical(everything())
    assert not CanonicalTransposedConvolutions([random(1, 3, 8, 8)], 0)(model).modified
