"""Transposed convolutions written as dense layers and ordinary convolutions, where ONNX Runtime is faster at those.

ONNX Runtime's CPU provider computes ConvTranspose sample by sample as a matrix product whose columns are then added up
(col2im). The product has no needless multiplications and is hard to beat on large pictures, but with few pixels and
many channels, as in the first layers of a generator, it has too few columns to keep a core busy. Two forms are exact:

* Of one pixel, every output is a weighted sum of the channels: a matrix product for the whole batch.
* With stride s, the output pixels whose coordinates leave the same remainders by s form s * s pictures of the input's
  size, each an ordinary convolution with its share of the kernel's taps; DepthToSpace interleaves them (Shi et al.,
  "Is the deconvolution layer the same as a convolutional layer?", https://arxiv.org/abs/1609.07009). A single
  convolution for all of them needs zero taps, 36 for 16 with a kernel of 4 and stride 2, but has more channels to keep
  a core busy with.
"""

import copy
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime
from numpy.typing import NDArray
from onnx.helper import get_attribute_value, make_graph, make_model, make_node, make_tensor_value_info
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnxscript.rewriter import RULE_NAME_TAG, RewritePass
from onnxscript.rewriter.rules.common import fuse_batchnorm_into_conv_transpose_rule

from edgevision.runtime.engines.onnx_runtime_library import log_severity

_log = logging.getLogger(__name__)

Array = NDArray[Any]

_TOLERANCE = 1e-5
_ROUNDS = 40
_SECONDS = 2.0

# The time of this thread alone: what other programs do meanwhile must not decide. Windows counts it in steps of 15 ms.
_clock = time.perf_counter_ns if sys.platform == "win32" else time.thread_time_ns


def rewrite_transposed_convolutions(
    model: onnx.ModelProto, examples: Sequence[Array], *, least_speedup: float = 1.05
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Rewrite each ConvTranspose of ``model`` into the form that ONNX Runtime runs fastest on one thread of this CPU.

    BatchNormalization right after a ConvTranspose is first folded into its weights. A layer is rewritten where it then
    gives the same on its input for ``examples``, to 1e-5 of its output's range, and measures at least ``least_speedup``
    times as fast: 5 % more by default, and 0 for what is to be quantised, where only the new forms have kernels. Other
    layers (groups, dilations, unequal strides, weights that are not constant float32) stay as they are, and so
    do the model's inputs and outputs with their open sides.

    Args:
        model: opset 13 or later; it is not changed.
        examples: one array for each input of the model, in order, as large as the inputs it is to be fast for.

    Returns:
        The rewritten model, and what was done for the user to read; ``model`` itself and no notes where nothing was
        done, or where the whole is not as exact or not faster.

    Raises:
        ValueError: another number of examples than the model has inputs.
    """
    defaults = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in defaults]
    feeds = dict(zip(inputs, examples, strict=True))
    if all(node.op_type != "ConvTranspose" for node in model.graph.node):
        return model, ()
    folded, notes = _fold_normalization(model)
    layers = _layers(folded)
    chosen: dict[str, _Form] = {}
    for layer, example in zip(layers, _layer_inputs(folded, layers, feeds), strict=True):
        form, speedup = _fastest(layer, example, folded, least_speedup)
        if form is not None:
            chosen[layer.output] = form
            notes.append(f"ConvTranspose of {layer.weight_name!r} is now {form.name}: {speedup:.2f} times as fast")
    if not notes:
        return model, ()
    rewritten = _replaced(folded, chosen)
    before, after = open_on_one_thread(model), open_on_one_thread(rewritten)
    if not agree(before, after, feeds) or ((speedup := measured_speedup(before, after, feeds)) < min(1, least_speedup)):
        _log.debug("%s; but not as a whole", "; ".join(notes))
        return model, ()
    notes.append(f"by this the whole model is {speedup:.2f} times as fast on one thread of this CPU")
    return rewritten, tuple(notes)


def measured_speedup(
    before: onnxruntime.InferenceSession, after: onnxruntime.InferenceSession, feeds: Mapping[str, Array]
) -> float:
    """How many times as fast ``after`` is: the median over rounds in which both, already warm, run once."""
    ratios: list[float] = []
    end = time.monotonic() + _SECONDS
    for index in range(_ROUNDS):
        # Which goes first alternates: the second finds warmer caches.
        first, second = (before, after) if index % 2 else (after, before)
        start = _clock()
        first.run(None, feeds)
        middle = _clock()
        second.run(None, feeds)
        times = middle - start, _clock() - middle
        ratios.append(times[0] / times[1] if index % 2 else times[1] / times[0])
        if index >= 4 and time.monotonic() > end:
            break
    return median(ratios)


@dataclass(frozen=True)
class _Form:
    """Nodes that compute a layer, the last of them its output, with their constants, and a ``name`` for the user."""

    name: str
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]


@dataclass(frozen=True)
class _Phase:
    """The ``taps`` of the kernel that make every s-th output along one axis, and the padding of the input."""

    taps: list[int]
    before: int
    after: int


@dataclass(frozen=True)
class _Axis:
    """A ConvTranspose along one axis: ``before`` and ``after`` crop its output, to whose end ``added`` are added."""

    kernel: int
    stride: int
    before: int
    after: int
    added: int

    @property
    def span(self) -> int:
        """What one input gives; of n inputs, stride (n - 1) + span outputs come."""
        return self.kernel - self.before - self.after + self.added

    @property
    def surplus(self) -> int:
        """By how much the phases together are longer than the output."""
        return -self.span % self.stride

    def phases(self) -> list[_Phase] | None:
        """One for each remainder r: output s j + r takes tap t of input i where s i + t = s j + r + before.

        ``None`` where a phase has no taps, or leaves out inputs at a border, which a convolution cannot.
        """
        more = (self.span + self.surplus) // self.stride - 1
        phases = []
        for position in range(self.before, self.before + self.stride):
            # Later inputs meet earlier taps.
            taps = list(range(position % self.stride, self.kernel, self.stride))[::-1]
            if not taps:
                return None
            first, last = (position - taps[0]) // self.stride, (position - taps[-1]) // self.stride
            phases.append(_Phase(taps, before=-first, after=last + more))
        return phases if min(min(phase.before, phase.after) for phase in phases) >= 0 else None


@dataclass(frozen=True)
class _Layer:
    """A ConvTranspose of one group without dilation, and of equal strides.

    ``weight`` is (in, out, height, width) float32, ``bias`` (out,) or ``None``; ``one_pixel`` says that the input is
    one pixel whatever the model's input.
    """

    node: onnx.NodeProto
    weight: Array
    bias: Array | None
    rows: _Axis
    columns: _Axis
    one_pixel: bool

    @property
    def input(self) -> str:
        name: str = self.node.input[0]
        return name

    @property
    def output(self) -> str:
        name: str = self.node.output[0]
        return name

    @property
    def weight_name(self) -> str:
        name: str = self.node.input[1]
        return name

    @property
    def original(self) -> _Form:
        constants = {self.weight_name: self.weight}
        if self.bias is not None:
            constants[self.node.input[2]] = self.bias
        return _Form("as it was", [self.node], constants)


def _fold_normalization(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    folded = onnx_ir.from_proto(model)
    if not RewritePass([fuse_batchnorm_into_conv_transpose_rule])(folded).modified:
        return model, []
    for node in folded.graph:
        node.metadata_props.pop(RULE_NAME_TAG, None)
    return _without_unused(onnx_ir.to_proto(folded)), ["BatchNormalization is folded into ConvTranspose"]


def _layers(model: onnx.ModelProto) -> list[_Layer]:
    """Those that can be rewritten at all."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    sides = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim[2:]]
        for value in (*inferred.input, *inferred.value_info)
    }
    # An initializer that is also an input is only a default.
    variable = {value.name for value in model.graph.input}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name not in variable}
    layers = []
    for node in model.graph.node:
        if node.op_type != "ConvTranspose" or not all(name in tensors for name in node.input[1:] if name):
            continue
        weight, *bias = (onnx.numpy_helper.to_array(tensors[name]) for name in node.input[1:] if name)
        options = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        strides = options.get("strides", [1, 1])
        if (
            weight.ndim == 4
            and weight.dtype == np.float32
            and options.get("group", 1) == 1
            and set(options.get("dilations", [1])) == {1}
            and len(set(strides)) == 1
            and options.get("auto_pad", b"NOTSET") == b"NOTSET"
            and "output_shape" not in options
        ):
            pads, added = options.get("pads", [0, 0, 0, 0]), options.get("output_padding", [0, 0])
            rows, columns = (_Axis(weight.shape[2 + a], strides[a], pads[a], pads[2 + a], added[a]) for a in (0, 1))
            one_pixel = sides.get(node.input[0]) == [1, 1]
            layers.append(_Layer(node, weight, bias[0] if bias else None, rows, columns, one_pixel))
    return layers


def _layer_inputs(model: onnx.ModelProto, layers: Sequence[_Layer], feeds: Mapping[str, Array]) -> list[Array]:
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


def _fastest(layer: _Layer, example: Array, model: onnx.ModelProto, least_speedup: float) -> tuple[_Form | None, float]:
    """The fastest exact form of a layer and its speed-up; ``None`` where none is as fast as asked."""
    feeds = {layer.input: example}
    before = open_on_one_thread(_alone(layer, layer.original, example, model))
    best: tuple[_Form | None, float] = None, least_speedup
    for form in (_dense(layer), _sub_pixel(layer, joined=False), _sub_pixel(layer, joined=True)):
        if form is None:
            continue
        after = open_on_one_thread(_alone(layer, form, example, model))
        if agree(before, after, feeds):
            speedup = measured_speedup(before, after, feeds)
            _log.debug("%s as %s: %.2f times as fast", layer.weight_name, form.name, speedup)
            if speedup > best[1]:
                best = form, speedup
    return best


def _dense(layer: _Layer) -> _Form | None:
    if not layer.one_pixel:
        return None
    rows, columns, output = layer.rows, layer.columns, layer.output
    # The output is the kernel itself, enlarged and cropped.
    kernel = np.pad(layer.weight, ((0, 0), (0, 0), (0, rows.added), (0, columns.added)))
    kernel = kernel[:, :, rows.before :, columns.before :][:, :, : rows.span, : columns.span]
    flat, weight, sums, shape = (f"{output}_{part}" for part in ("flat", "weight", "sums", "shape"))
    constants = {
        weight: kernel.reshape(len(kernel), -1),
        shape: np.array([0, *kernel.shape[1:]], np.int64),
    }
    # MatMul and Add measured faster than Gemm.
    nodes = [make_node("Flatten", [layer.input], [flat]), make_node("MatMul", [flat, weight], [sums])]
    if layer.bias is not None:
        bias, biased = f"{output}_bias", f"{output}_biased"
        constants[bias] = np.repeat(layer.bias, rows.span * columns.span)
        nodes.append(make_node("Add", [sums, bias], [biased]))
    nodes.append(make_node("Reshape", [nodes[-1].output[0], shape], [output]))
    return _Form("a dense layer", nodes, constants)


def _sub_pixel(layer: _Layer, *, joined: bool) -> _Form | None:
    """A convolution for each phase, or ``joined`` one for all: with zero taps, but with more channels at a time."""
    rows, columns = layer.rows.phases(), layer.columns.phases()
    if rows is None or columns is None:
        return None
    stride, output = layer.rows.stride, layer.output
    pairs = list(product(rows, columns))
    kernels = [layer.weight[:, :, row.taps][:, :, :, column.taps].swapaxes(0, 1) for row, column in pairs]
    pads = [(row.before, column.before, row.after, column.after) for row, column in pairs]
    same = len(set(pads)) == 1
    if same and not joined:
        return None
    if joined:
        widest = np.max(pads, axis=0)
        missing = [widest - pad for pad in pads]
        around = [((0, 0), (0, 0), (m[0], m[2]), (m[1], m[3])) for m in missing]
        kernels = [np.concatenate([np.pad(k, a) for k, a in zip(kernels, around, strict=True)])]
        pads = [(int(widest[0]), int(widest[1]), int(widest[2]), int(widest[3]))]
    weights = [f"{output}_weight_{index}" for index in range(len(kernels))]
    constants: dict[str, Array] = dict(zip(weights, kernels, strict=True))
    biases = []
    if layer.bias is not None:
        biases = [f"{output}_bias"]
        constants[biases[0]] = np.tile(layer.bias, len(kernels[0]) // len(layer.bias))
    phases = [f"{output}_phase_{index}" for index in range(len(kernels))]
    nodes = [
        make_node("Conv", [layer.input, weight, *biases], [phase], kernel_shape=kernel.shape[2:], pads=pad)
        for weight, phase, kernel, pad in zip(weights, phases, kernels, pads, strict=True)
    ]
    name = "a convolution" if len(nodes) == 1 else f"{len(nodes)} convolutions"
    if len(nodes) > 1:
        nodes.append(make_node("Concat", phases, [f"{output}_phases"], axis=1))
    if stride > 1:
        name += " and DepthToSpace"
        # The channels come phase by phase, which is its mode DCR.
        interleaved = [f"{output}_interleaved"]
        nodes.append(make_node("DepthToSpace", nodes[-1].output, interleaved, blocksize=stride, mode="DCR"))
    cuts = {axis: size for axis, size in ((2, layer.rows.surplus), (3, layer.columns.surplus)) if size}
    if cuts:
        limits = {"starts": [0 for _ in cuts], "ends": [-size for size in cuts.values()], "axes": list(cuts)}
        constants |= {f"{output}_{limit}": np.array(values, np.int64) for limit, values in limits.items()}
        names = [nodes[-1].output[0], *(f"{output}_{limit}" for limit in limits)]
        nodes.append(make_node("Slice", names, [f"{output}_cropped"]))
    nodes[-1].output[0] = output
    return _Form(name, nodes, constants)


def _alone(layer: _Layer, form: _Form, example: Array, model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of this layer only, of the opset of ``model``."""
    graph = make_graph(
        form.nodes,
        "layer",
        [make_tensor_value_info(layer.input, onnx.TensorProto.FLOAT, example.shape)],
        [make_tensor_value_info(layer.output, onnx.TensorProto.FLOAT, None)],
        _tensors(form),
    )
    return make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _replaced(model: onnx.ModelProto, forms: Mapping[str, _Form]) -> onnx.ModelProto:
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
        result.graph.initializer.extend(_tensors(form))
    result = _without_unused(result)
    onnx.checker.check_model(result)
    return result


def _tensors(form: _Form) -> list[onnx.TensorProto]:
    return [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in form.constants.items()]


def _without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx_ir.to_proto(RemoveUnusedNodesPass()(onnx_ir.from_proto(model)).model)


def open_on_one_thread(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session on one thread, so that its time is all this thread's."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = log_severity()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def agree(
    before: onnxruntime.InferenceSession, after: onnxruntime.InferenceSession, feeds: Mapping[str, Array]
) -> bool:
    """Whether all outputs are equal, to the tolerance as a share of their ranges."""
    for outputs in zip(before.run(None, feeds), after.run(None, feeds), strict=True):
        expected, found = (np.asarray(output, np.float64) for output in outputs)
        # Infinities give NaN here, which is never within the tolerance.
        with np.errstate(invalid="ignore"):
            exact = expected.shape == found.shape and np.abs(found - expected).max() <= _TOLERANCE * np.ptp(expected)
        if not exact:
            return False
    return True
