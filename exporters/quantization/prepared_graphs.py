"""The float forms of a model: the fastest one, and the one of which most can be int8."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx

from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import FLOAT_PASSES, INT8_PASSES
from edgevision.exporters.passes.graph_pass import GraphPass, PassResult, Sequential
from edgevision.exporters.passes.ir import Array
from edgevision.exporters.passes.side_by_side import WherePays
from edgevision.exporters.passes.transposed_convolutions import TransposedConvolutions
from edgevision.exporters.quantization.targets import Target
from edgevision.modelfiles.model_file import ModelFormat


@dataclass(frozen=True)
class PreparedGraphs:
    """Both compute what the model does. ``notes`` say what was done to ``fast``."""

    fast: onnx.ModelProto
    int8_ready: onnx.ModelProto
    notes: tuple[str, ...] = ()

    @property
    def differ(self) -> bool:
        """Whether more was done for int8 than what is faster in float."""
        fast, ready = (model.SerializeToString(deterministic=True) for model in (self.fast, self.int8_ready))
        return bool(fast != ready)


def prepare_graphs(
    model: onnx.ModelProto,
    examples: Sequence[Array],
    target: Target,
    format: ModelFormat,
    late: Callable[[], bool],
) -> PreparedGraphs:
    """Apply what is faster in float, each where it measures so here, and what else lets more operators be int8.

    Nothing is measured any more when it is ``late``.
    """
    start = canonical(model)
    if format in (ModelFormat.TFLITE, ModelFormat.NCNN):
        # They have int8 kernels for these, and for neither slices nor their padding that keep the scale.
        rewritten = Sequential(FLOAT_PASSES[:2])(start).model
        return PreparedGraphs(rewritten, rewritten)
    if format is ModelFormat.OPENVINO or target.npu or "ConvTranspose" in target.operators:
        # Those engines have their own forms, and kernels for what these passes avoid.
        return PreparedGraphs(start, start)
    faster = (*FLOAT_PASSES, CanonicalTransposedConvolutions(examples, least_speedup=1.05))
    fast = Sequential([_Unless(late, WherePays(one, examples)) for one in faster])(start)
    ready = Sequential([*INT8_PASSES, CanonicalTransposedConvolutions(examples, least_speedup=0)])(fast.model)
    return PreparedGraphs(fast.model, ready.model, fast.notes)


@dataclass(frozen=True, eq=False)
class _Unless:
    """A pass that is left out when it is ``late``."""

    late: Callable[[], bool]
    rewriting: GraphPass

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        return PassResult(model) if self.late() else self.rewriting(model)


@dataclass(frozen=True, eq=False)
class CanonicalTransposedConvolutions:
    """:class:`TransposedConvolutions` of a model in canonical form, which it keeps."""

    examples: Sequence[Array]
    least_speedup: float

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        result = TransposedConvolutions(self.examples, self.least_speedup)(model)
        if not result.modified:
            return result
        # How much faster by itself is no figure of the verdict, whose forms are measured in one run.
        return PassResult(
            canonical(result.model), modified=True, notes=("transposed convolutions as dense layers and convolutions",)
        )
