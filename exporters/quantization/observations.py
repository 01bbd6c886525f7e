"""What flows through a float model on real data: how values spread, and how the inputs of a layer go together."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import torch
from onnx.helper import make_tensor_value_info

from edgevision.exporters.passes.ir import Array, constant_input, inputs_of, to_proto
from edgevision.exporters.quantization.units import Unit, channel_axis
from edgevision.runtime.engines.onnx_runtime_library import log_severity
from edgevision.runtime.tasks.samples import Batch

BINS = 2048
# Of a layer's inputs these many positions for each input of one output are looked at: neighbours tell the same.
_POSITIONS = 16
# And of a batch no fewer than this: there may be no other one.
_FEWEST_POSITIONS = 1024
# They are spread over so many portions; who looks at fewer has fewer, and later ones add nothing to a layer's sums.
_PORTIONS = 4
# Of a tensor's values these many are kept, up to twice as many, from all over what was seen.
_VALUES = 1 << 17
# A Gram matrix of more inputs takes longer to make and to use than its rounding is worth.
_LARGEST_GRAM = 2400


@dataclass(frozen=True)
class Histogram:
    """How often values of a tensor fell into equal bins from ``low`` to ``high``, which are its extremes."""

    low: float
    high: float
    counts: Array


@dataclass(frozen=True)
class LayerInputs:
    """Of the values that one output of a layer is a weighted sum of, by group.

    ``mean`` is (groups, k), ``covariance`` (groups, k, k), or the variances (groups, k) where k is large.
    """

    mean: Array
    covariance: Array


@dataclass(frozen=True)
class Observations:
    """What was seen: ``histograms`` by tensor, ``inputs`` by the name of a weighted node."""

    histograms: Mapping[str, Histogram]
    inputs: Mapping[str, LayerInputs]


def observe(
    model: onnx_ir.Model,
    units: Iterable[Unit],
    portions: Iterable[Sequence[Batch]],
    enough: Callable[[int, Callable[[], Mapping[str, Histogram]]], bool] = lambda count, histograms: False,
) -> Observations:
    """Run the float model on ``portions`` of batches and note what ``units`` take and give; each is run once.

    Args:
        enough: asked after each portion, with how many there were and what gives the histograms so far.
    """
    units = tuple(units)
    tensors = list(dict.fromkeys(name for unit in units for name in (*unit.inputs, unit.output)))
    nodes = {str(node.name): node for node in model.graph}
    layers = {unit.name: nodes[unit.name] for unit in units if unit.channels is not None}
    values = {name: _Values() for name in tensors}
    sums = {name: _Sums(node) for name, node in layers.items()}

    def histograms() -> dict[str, Histogram]:
        return {name: seen.histogram() for name, seen in values.items()}

    with _Tap(model, tensors) as tap:
        for count, portion in enumerate(portions, start=1):
            for batch in portion:
                found = tap(batch)
                for name, value in found.items():
                    values[name].add(value)
                if count <= _PORTIONS:
                    for name, node in layers.items():
                        sums[name].add(found[str(node.inputs[0].name)], len(portion))  # type: ignore[union-attr]
            if enough(count, histograms):
                break
    return Observations(histograms(), {name: total.result() for name, total in sums.items()})


def channel_peaks(model: onnx_ir.Model, tensors: Sequence[str], batches: Sequence[Batch]) -> dict[str, Array]:
    """The largest magnitude in each channel of (n, channels, height, width) ``tensors``, float32 (channels,)."""
    peaks: dict[str, Array] = {}
    with _Tap(model, tensors) as tap:
        for batch in batches:
            for name, value in tap(batch).items():
                peak = np.abs(value).max(axis=(0, 2, 3))
                peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks


class _Tap:
    """Runs a model and gives the values of inner tensors by name."""

    def __init__(self, model: onnx_ir.Model, tensors: Sequence[str]) -> None:
        self._inputs = inputs_of(model)
        self._given = [name for name in tensors if name in self._inputs]
        self._wanted = [name for name in tensors if name not in self._inputs]
        tapped = to_proto(model)
        outputs = {value.name for value in model.graph.outputs}
        tapped.graph.output.extend(
            make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in self._wanted if name not in outputs
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = log_severity()
        # A fused activation would hide what it takes.
        self._session = onnxruntime.InferenceSession(
            tapped.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, batch: Batch) -> dict[str, Array]:
        feeds = dict(zip(self._inputs, batch, strict=True))
        found = self._session.run(self._wanted, feeds) if self._wanted else []
        return {name: feeds[name] for name in self._given} | dict(zip(self._wanted, found, strict=True))

    def __enter__(self) -> "_Tap":
        return self

    def __exit__(self, *_: object) -> None:
        del self._session


class _Values:
    """The extremes of a tensor, and of its values as many as a histogram needs.

    Of a batch every so many are kept. Where there are too many at last, half of them go, drawn by lot, and of what
    follows half as many are taken: each stands for as many as any other.
    """

    def __init__(self) -> None:
        self._low, self._high = np.inf, -np.inf
        self._kept: list[Array] = []
        self._count = 0
        self._stride = 0
        self._lot = np.random.default_rng(0)

    def add(self, value: Array) -> None:
        self._low, self._high = min(self._low, float(value.min())), max(self._high, float(value.max()))
        self._stride = self._stride or max(1, value.size // _VALUES)
        # Copied, for a view would keep the whole tensor.
        self._kept.append(value.ravel()[:: _step(self._stride, value.shape[1:])].copy())
        self._count += self._kept[-1].size
        while self._count > 2 * _VALUES:
            self._stride *= 2
            self._count //= 2
            self._kept = [self._lot.choice(np.concatenate(self._kept), self._count, replace=False)]

    def histogram(self) -> Histogram:
        counts = np.zeros(BINS, np.int64)
        if self._high > self._low:
            # In float32 there may be fewer values between the extremes than bins.
            values = np.concatenate(self._kept).astype(np.float64)
            counts = np.histogram(values, BINS, (self._low, self._high))[0]
        return Histogram(self._low, self._high, counts)


class _Sums:
    """Sums of products of a layer's inputs, for their means and covariances."""

    def __init__(self, node: onnx_ir.Node) -> None:
        self._node, self._options = node, node.attributes
        self._operator = node.op_type
        weights = constant_input(node, 1)
        assert weights is not None
        weight = weights.shape
        self._kernel = weight[2:]
        self._groups = self._options.get_int("group", 1) if node.op_type == "Conv" else 1
        k = math.prod(size for axis, size in enumerate(weight) if axis != channel_axis(node))
        self._wanted = _POSITIONS * k // _PORTIONS
        self._full = k <= _LARGEST_GRAM
        # Each output of a transposed convolution takes one of every so many taps, by turns.
        self._turns = self._options.get_ints("strides", [1, 1]) if node.op_type == "ConvTranspose" else [1, 1]
        self._count = 0
        self._origin = np.zeros((self._groups, k))
        self._sum = np.zeros((self._groups, k))
        self._products = np.zeros((self._groups, k, k) if self._full else (self._groups, k))

    def add(self, value: Array, batches: int) -> None:
        """Add one of so many batches of a portion."""
        most = max(_FEWEST_POSITIONS, self._wanted // batches)
        rows = self._rows(torch.from_numpy(value), most)
        rows = rows[:, :: _step(-(-rows.shape[1] // most), self._turns)]
        if not self._count:
            self._origin = rows.mean(1, dtype=torch.float64).numpy()
        # Products of values far from zero would drown their variance in float32.
        rows = rows - torch.from_numpy(self._origin).float()[:, None]
        self._count += rows.shape[1]
        self._sum += rows.sum(1, dtype=torch.float64).numpy()
        products = rows.transpose(1, 2) @ rows if self._full else (rows * rows).sum(1)
        self._products += products.double().numpy()

    def _rows(self, value: torch.Tensor, most: int) -> torch.Tensor:
        """float32 (groups, positions, k); no fewer positions than ``most``, where there are as many."""
        if not self._operator.startswith("Conv"):
            return value.reshape(1, -1, value.shape[-1])
        strides, dilations = self._options.get_ints("strides", [1, 1]), self._options.get_ints("dilations", [1, 1])
        reach = [dilation * (size - 1) for dilation, size in zip(dilations, self._kernel, strict=True)]
        pads = _pads(self._node, value.shape[2:], strides, reach)
        if self._operator == "ConvTranspose":
            value, pads, strides = _stretched(value, pads, strides, reach)
        value = torch.nn.functional.pad(value, (pads[1], pads[3], pads[0], pads[2]))
        outputs = [(value.shape[2 + axis] - reach[axis] - 1) // strides[axis] + 1 for axis in (0, 1)]
        skip = _step(math.isqrt(value.shape[0] * outputs[0] * outputs[1] // most), self._turns)
        steps = (skip * strides[0], skip * strides[1])
        columns = torch.nn.functional.unfold(value, self._kernel, dilation=tuple(dilations), stride=steps)
        samples, _, found = columns.shape
        grouped = columns.reshape(samples, self._groups, -1, found)
        return grouped.permute(1, 0, 3, 2).reshape(self._groups, samples * found, -1)

    def result(self) -> LayerInputs:
        count = max(self._count, 1)
        mean, products = self._sum / count, self._products / count
        square = mean[:, :, None] * mean[:, None, :] if self._full else mean**2
        return LayerInputs(self._origin.astype(np.float32) + mean, products - square)


def _step(most: int, sides: Iterable[int]) -> int:
    """The largest step up to ``most`` that has no factor in common with ``sides``: it meets all their places."""
    sides = tuple(sides)
    return next(step for step in range(max(1, most), 0, -1) if all(math.gcd(step, side) == 1 for side in sides))


def _pads(node: onnx_ir.Node, sides: Sequence[int], strides: Sequence[int], reach: Sequence[int]) -> Sequence[int]:
    """At the beginning of both axes, then at their ends; where SAME is asked for, as ONNX defines it for Conv."""
    kind = node.attributes.get_string("auto_pad", "NOTSET")
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        return node.attributes.get_ints("pads", [0, 0, 0, 0])
    total = [
        max(0, (-(-side // stride) - 1) * stride + far + 1 - side)
        for side, stride, far in zip(sides, strides, reach, strict=True)
    ]
    less, more = [count // 2 for count in total], [count - count // 2 for count in total]
    return less + more if kind == "SAME_UPPER" else more + less


def _stretched(
    value: torch.Tensor, pads: Sequence[int], strides: Sequence[int], reach: Sequence[int]
) -> tuple[torch.Tensor, list[int], list[int]]:
    """A transposed convolution's input as that of an ordinary one: with zeros between.

    That convolution has the kernel turned round; turning the input instead leaves the taps in their order.
    """
    samples, channels, height, width = value.shape
    wide = value.new_zeros(samples, channels, (height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1)
    wide[:, :, :: strides[0], :: strides[1]] = value
    # What is cropped from the output need not be looked at, and hardly matters.
    around = [max(0, reach[axis % 2] - pads[axis]) for axis in (2, 3, 0, 1)]
    return wide.flip(2, 3), around, [1, 1]
