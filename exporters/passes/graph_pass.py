"""What a graph pass is: it takes a model and gives it back with whether it was changed; a list of passes is a pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass


@dataclass(frozen=True, eq=False)
class PassResult:
    """The model, the very one that was given where it was not ``modified``, and ``notes`` on it for the user."""

    model: onnx.ModelProto
    modified: bool = False
    notes: tuple[str, ...] = ()


GraphPass = Callable[[onnx.ModelProto], PassResult]
"""It never changes the model that it is given."""


@dataclass(frozen=True)
class Sequential:
    """One pass after the other."""

    passes: Sequence[GraphPass]

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        result = PassResult(model)
        for one in self.passes:
            found = one(result.model)
            result = PassResult(found.model, result.modified or found.modified, result.notes + found.notes)
        return result


@dataclass(frozen=True)
class Rewriting:
    """A pass on onnx_ir: ``rewrite`` changes a model in place and says whether it did, which is noted as ``name``.

    The values of the model have the shapes and dtypes that follow from its inputs.
    """

    name: str
    rewrite: Callable[[onnx_ir.Model], bool]

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        ir = onnx_ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True))
        if not self.rewrite(ir):
            return PassResult(model)
        RemoveUnusedNodesPass()(ir)
        rewritten = onnx_ir.to_proto(ir)
        # What was inferred served the rewriting, and says no more than the graph does.
        del rewritten.graph.value_info[:]
        for value, declared in zip(rewritten.graph.output, model.graph.output, strict=True):
            value.CopyFrom(declared)
        return PassResult(rewritten, modified=True, notes=(self.name,))
