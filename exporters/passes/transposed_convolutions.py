"""Transposed convolutions written as dense layers and ordinary convolutions, where ONNX Runtime is faster at those.

ONNX Runtime's CPU provider computes ConvTranspose sample by sample as a matrix product whose columns are then added up
(col2im). The product has no needless multiplications and is hard to beat on large pictures, but with few pixels and
many channels, as in the first layers of a generator, it has too few columns to keep a core busy.
"""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir
from onnx.helper import make_graph, make_model, make_tensor_value_info
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnxscript.rewriter import RULE_NAME_TAG, RewritePass
from onnxscript.rewriter.rules.common import fuse_batchnorm_into_conv_transpose_rule

from edgevision.exporters.passes.graph_pass import PassResult
from edgevision.exporters.passes.ir import Array
from edgevision.exporters.passes.side_by_side import agree, feeds_of, measured_speedup, open_on_one_thread
from edgevision.exporters.passes.transposed_layer import Form, TransposedLayer, transposed_layers

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TransposedConvolutions:
    """Rewrites each ConvTranspose into the form that ONNX Runtime runs fastest on one thread of this CPU.

    BatchNormalization right after a ConvTranspose is first folded into its weights. A layer is rewritten where it then
    gives the same on its input for ``examples``, to 1e-5 of its output's range, and measures at least ``least_speedup``
    times as fast: 5 % more by default, and 0 for what is to be quantised, where only the new forms have kernels. Other
    layers (groups, dilations, unequal strides, weights that are not constant float32) stay as they are, and so
    do the model's inputs and outputs with their dynamic axes. Nothing is done where the whole is not as exact or not
    shown to be faster: the 95 % interval of the ratio has to lie above 1.

    Attributes:
        examples: one array for each input of the model, in order, as large as the inputs it is to be fast for.
    """

    examples: Sequence[Array]
    least_speedup: float = 1.05

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        """``model`` is of opset 13 or later; :class:`ValueError` for another number of examples than it has inputs."""
        feeds = feeds_of(model, self.examples)
        if all(node.op_type != "ConvTranspose" for node in model.graph.node):
            return PassResult(model)
        folded, notes = _fold_normalization(model)
        layers = transposed_layers(folded)
        chosen: dict[str, Form] = {}
        for layer, example in zip(layers, _layer_inputs(folded, layers, feeds), strict=True):
            form, speedup = _fastest(layer, example, folded, self.least_speedup)
            if form is not None:
                chosen[layer.output] = form
                notes.append(f"ConvTranspose of {layer.weight_name!r} is now {form.name}: {speedup:.2f} times as fast")
        if not notes:
            return PassResult(model)
        rewritten = _replaced(folded, chosen)
        before, after = open_on_one_thread(model), open_on_one_thread(rewritten)
        exact = agree(before, after, feeds)
        if not exact or (whole := measured_speedup(before, after, feeds)).low <= min(1, self.least_speedup):
            _log.debug("%s; but not as a whole", "; ".join(notes))
            return PassResult(model)
        notes.append(
            f"by this the whole model is {whole.ratio:.2f} times ({whole.low:.2f} to {whole.high:.2f}) as fast on one"
            " thread of this CPU"
        )
        return PassResult(rewritten, modified=True, notes=tuple(notes))


def _fold_normalization(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    folded = onnx_ir.from_proto(model)
    if not RewritePass([fuse_batchnorm_into_conv_transpose_rule])(folded).modified:
        return model, []
    for node in folded.graph:
        node.metadata_props.pop(RULE_NAME_TAG, None)
    return _without_unused(onnx_ir.to_proto(folded)), ["BatchNormalization is folded into ConvTranspose"]


def _layer_inputs(model: onnx.ModelProto, layers: Sequence[TransposedLayer], feeds: Mapping[str, Array]) -> list[Array]:
    """What reaches each layer when the model runs on ``feeds``."""
    given = {*feeds, *(value.name for value in model.graph.output)}
    names = [layer.input for layer in layers]
    exposed = copy.deepcopy(model)
    exposed.graph.output.extend(
        make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in dict.fromkeys(names) if name not in given
    )
    wanted = [name for name in dict.fromkeys(names) if name not in feeds]
    values = dict(feeds) | dict(
        zip(wanted, open_on_one_thread(exposed).run(wanted, feeds), strict=True) if wanted else ()
    )
    return [values[name] for name in names]


def _fastest(
    layer: TransposedLayer, example: Array, model: onnx.ModelProto, least_speedup: float
) -> tuple[Form | None, float]:
    """The fastest exact form of a layer and its speed-up; ``None`` where none is as fast as asked."""
    feeds = {layer.input: example}
    before = open_on_one_thread(_alone(layer, layer.original, example, model))
    best: tuple[Form | None, float] = None, least_speedup
    for form in layer.forms():
        after = open_on_one_thread(_alone(layer, form, example, model))
        if agree(before, after, feeds):
            speedup = measured_speedup(before, after, feeds).ratio
            _log.debug("%s as %s: %.2f times as fast", layer.weight_name, form.name, speedup)
            if speedup > best[1]:
                best = form, speedup
    return best


def _alone(layer: TransposedLayer, form: Form, example: Array, model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of this layer only, of the opset of ``model``."""
    graph = make_graph(
        form.nodes,
        "layer",
        [make_tensor_value_info(layer.input, onnx.TensorProto.FLOAT, example.shape)],
        [make_tensor_value_info(layer.output, onnx.TensorProto.FLOAT, None)],
        form.tensors,
    )
    return make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _replaced(model: onnx.ModelProto, forms: Mapping[str, Form]) -> onnx.ModelProto:
    """With the nodes of these forms in place of those that make the same outputs."""
    result = copy.deepcopy(model)
    del result.graph.node[:]
    for node in model.graph.node:
        if (form := forms.get(node.output[0])) is None:
            result.graph.node.append(node)
            continue
        for part in form.nodes:
            part.name = f"node_{part.output[0]}"
        result.graph.node.extend(form.nodes)
        result.graph.initializer.extend(form.tensors)
    result = _without_unused(result)
    onnx.checker.check_model(result)
    return result


def _without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx_ir.to_proto(RemoveUnusedNodesPass()(onnx_ir.from_proto(model)).model)
