"""Passes are kept where the model computes the same and is no slower, and how much faster is told rightly."""

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnx.numpy_helper import from_array
from quantization_reports import faster
from small_models import Array, assert_same, everything, model_of, operators, random

import edgevision.exporters.passes.side_by_side as side_by_side
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import FLOAT_PASSES
from edgevision.exporters.passes.graph_pass import GraphPass, PassResult, Sequential
from edgevision.exporters.passes.side_by_side import WherePays, measured_speedup, open_on_one_thread


def kept(
    model: onnx.ModelProto, passes: Sequence[GraphPass], *examples: Array
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model after those of ``passes`` that pay, and what was done."""
    arrays = examples or (random(1, 3, 8, 8),)
    result = Sequential([WherePays(one, arrays) for one in passes])(model)
    assert result.modified == (result.model is not model) == bool(result.notes)
    return result.model, result.notes


@pytest.fixture
def speedups(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the passes measure, one after the other, whatever the machine does."""
    found: list[float] = []
    monkeypatch.setattr(side_by_side, "measured_speedup", lambda before, after, feeds: faster(found.pop(0)))
    return found


def test_passes_that_are_exact_and_no_slower_are_kept_with_a_note(speedups: list[float]) -> None:
    model = canonical(everything())
    speedups += [1.5, 0.99, 2.0, 1.1]
    prepared, notes = kept(model, FLOAT_PASSES)
    assert speedups == []
    assert notes == (
        "means over a picture as GlobalAveragePool",
        "strided slices with padding as convolutions",
        "PReLU as depthwise convolution and Relu",
        "convolutions to few channels in blocks of pixels",
    )
    laid_out = {"DepthToSpace", "Shape", "Slice"}
    assert set(operators(prepared)) == {"Conv", "Relu", "Add", "HardSwish", "GlobalAveragePool", "Flatten"} | laid_out
    assert_same(model, prepared, random(2, 3, 8, 8))


def test_a_pass_that_measures_slower_is_not_kept_and_the_others_are(speedups: list[float]) -> None:
    speedups += [1.1, 0.97, 1.2, 0.9]
    prepared, notes = kept(canonical(everything()), FLOAT_PASSES)
    assert list(notes) == [FLOAT_PASSES[0].name, FLOAT_PASSES[2].name]
    assert {"Slice", "Pad"} < set(operators(prepared))
    assert not {"ReduceMean", "PRelu"} & set(operators(prepared))


def test_a_pass_that_finds_nothing_is_not_measured(speedups: list[float]) -> None:
    model = model_of([make_node("Relu", ["x"], ["y"])])
    assert kept(model, FLOAT_PASSES) == (model, ())


def test_a_pass_that_is_not_exact_is_neither_kept_nor_measured(speedups: list[float]) -> None:
    def off(model: onnx.ModelProto, *, by: float, name: str) -> PassResult:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        weight = changed.graph.initializer[0]
        weight.CopyFrom(from_array(onnx.numpy_helper.to_array(weight) + np.float32(by), weight.name))
        return PassResult(changed, modified=True, notes=(name,))

    model = model_of([make_node("Add", ["x", "one"], ["y"])], {"one": np.float32(1)})
    passes = [
        partial(off, by=1e-3, name="a thousandth off"),
        partial(off, by=1e-7, name="as good as nothing off"),
    ]
    speedups += [1.0]
    _, notes = kept(model, passes)
    assert notes == ("as good as nothing off",)


def test_what_does_not_agree_on_the_examples_is_left_as_it_was(
    speedups: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "agree", lambda before, after, feeds: False)
    model = canonical(everything())
    assert kept(model, FLOAT_PASSES) == (model, ())


def test_as_many_examples_as_inputs_are_asked_for() -> None:
    with pytest.raises(ValueError, match="zip"):
        kept(everything(), FLOAT_PASSES, random(1, 3, 8, 8), random(1, 3, 8, 8))


def wide_layer(channels: int) -> onnx.ModelProto:
    """A transposed convolution to five channels."""
    layer = make_node("ConvTranspose", ["x", "w"], ["y"])
    return model_of([layer], {"w": random(channels, 5, 5, 5)}, ("batch", channels, "height", "width"))


def test_the_speedup_is_the_median_of_the_ratios_whichever_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    now = [0]

    class Session:
        def __init__(self, duration: int) -> None:
            self.duration = duration

        def run(self, outputs: None, feeds: dict[str, Array]) -> None:
            # One call in eight is disturbed.
            now[0] += self.duration * (100 if next(calls) % 8 == 0 else 1)

    monkeypatch.setattr(side_by_side, "_clock", lambda: now[0])
    assert measured_speedup(Session(30_000_000), Session(20_000_000), {}).ratio == pytest.approx(1.5)


def test_less_work_measures_as_faster() -> None:
    sessions = [open_on_one_thread(wide_layer(channels)) for channels in (64, 2)]

    class Narrow:
        def run(self, outputs: None, feeds: dict[str, Array]) -> object:
            return sessions[1].run(outputs, {"x": feeds["x"][:, :2]})

    assert measured_speedup(sessions[0], Narrow(), {"x": random(1, 64, 24, 24)}).ratio > 1.5
