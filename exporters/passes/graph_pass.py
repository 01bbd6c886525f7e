"""What a graph pass is: it takes a model and gives it back with whether it was changed; a list of passes is a pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgevision.exporters.passes.ir import to_ir, to_proto


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
    """A pass on onnx_ir: ``rewrite`` changes a model in place and says whether it did, which is noted as ``name``."""

    name: str
    rewrite: Callable[[onnx_ir.Model], bool]

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        ir = to_ir(model)
        if not self.rewrite(ir):
            return PassResult(model)
        RemoveUnusedNodesPass()(ir)
        return PassResult(to_proto(ir), modified=True, notes=(self.name,))
