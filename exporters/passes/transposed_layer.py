"""A transposed convolution, and the forms in other operators that give exactly the same.

* Of one pixel, every output is a weighted sum of the channels: a matrix product for the whole batch.
* With stride s, the output pixels whose coordinates leave the same remainders by s form s * s pictures of the input's
  size, each an ordinary convolution with its share of the kernel's taps; DepthToSpace interleaves them (Shi et al.,
  "Is the deconvolution layer the same as a convolutional layer?", https://arxiv.org/abs/1609.07009). A single
  convolution for all of them needs zero taps, 36 for 16 with a kernel of 4 and stride 2, but has more channels to keep
  a core busy with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnx
from onnx.helper import get_attribute_value, make_node

from edgevision.exporters.passes.ir import Array


@dataclass(frozen=True)
class Form:
    """Nodes that compute a layer, the last of them its output, with their constants, and a ``name`` for the user."""

    name: str
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]

    @property
    def tensors(self) -> list[onnx.TensorProto]:
        """The constants as initializers."""
        arrays = self.constants.items()
        return [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays]


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
class TransposedLayer:
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
    def original(self) -> Form:
        constants = {self.weight_name: self.weight}
        if self.bias is not None:
            constants[self.node.input[2]] = self.bias
        return Form("as it was", [self.node], constants)

    def forms(self) -> Iterator[Form]:
        """All that give the same for any batch and size."""
        for form in (_dense(self), _sub_pixel(self, joined=False), _sub_pixel(self, joined=True)):
            if form is not None:
                yield form


def transposed_layers(model: onnx.ModelProto) -> list[TransposedLayer]:
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
            layers.append(TransposedLayer(node, weight, bias[0] if bias else None, rows, columns, one_pixel))
    return layers


def _dense(layer: TransposedLayer) -> Form | None:
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
    return Form("a dense layer", nodes, constants)


def _sub_pixel(layer: TransposedLayer, *, joined: bool) -> Form | None:
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
    return Form(name, nodes, constants)
