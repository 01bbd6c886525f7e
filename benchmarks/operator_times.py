"""How long single operators take in float and in int8, by channels and size, in ONNX Runtime and OpenVINO.

    python benchmarks/operator_times.py [--only conv ...] [--seconds 1.5] [--json times.json]

One thread, CPU time, all forms of an operator interleaved. An operator stands in a chain of itself, and what is timed
is a long chain less a short one, by the operators they differ in: what happens at the ends of a graph, as a change of
layout or the conversion of its inputs, is not an operator's. A row of several operators is a chain of all of them.
Where they change a picture's size, the chain has a link or two, and its ends are as large as its links are: that
is rough.

u8 and s8 is what the activations are; weights are int8 by channel, but those of "one scale". The int8 form is
edgevision's own, with every operator between pairs, also those that edgevision leaves float because no kernel computes
them in int8.

The table is Markdown: microseconds in float, and how many times as fast as ONNX Runtime's float the other forms are.
Half the width of the 95 % interval stands behind a ratio where it is more than a tenth of it.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from edgevision.core.machine import Machine
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import INT8_PASSES
from edgevision.exporters.passes.graph_pass import Sequential
from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.targets import TARGETS, Target
from edgevision.exporters.quantization.units import find_units
from edgevision.exporters.quantization.weights import quantize_weights
from edgevision.runtime.benchmark.statistics import Ratio, ratio_of_medians
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.runtime.engines.openvino_engine import openvino_core

_CONVOLVED = ((8, 64), (16, 64), (32, 32), (64, 32), (128, 16), (256, 8))
_DEPTHWISE = ((16, 64), (64, 32), (96, 16), (240, 8))
_MOVED = ((16, 64), (64, 32), (128, 16))
_DENSE = ((64, 1), (256, 1), (1024, 1), (256, 16), (1024, 16))
_EVERYTHING = frozenset(
    {"Add", "AveragePool", "Concat", "Conv", "ConvTranspose", "Gemm", "GlobalAveragePool", "HardSwish", "LeakyRelu"}
    | {"MatMul", "Mul", "PRelu", "Resize", "Sigmoid"}
)


class Chain:
    """A graph in the making, of operators on pictures (1, channels, side, side) or on rows."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def add(self, operator: str, *inputs: str, **options: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(make_node(operator, list(inputs), [f"{name}_out"], name, **options))
        return f"{name}_out"

    def constant(self, *shape: int, values: Any = None) -> str:
        name = f"constant_{len(self.constants)}"
        drawn = 0.1 * self._random.standard_normal(shape, np.float32) if values is None else values
        self.constants.append(from_array(np.asarray(drawn), name))
        return name

    def conv(
        self, x: str, channels: int, kernel: int, *, to: int | None = None, stride: int = 1, groups: int = 1
    ) -> str:
        to = to or channels
        weight, bias = self.constant(to, channels // groups, kernel, kernel), self.constant(to)
        pads, sides = [kernel // 2] * 4, [kernel, kernel]
        options = {"kernel_shape": sides, "pads": pads, "strides": [stride, stride], "group": groups}
        return self.add("Conv", x, weight, bias, **options)


Link = Callable[[Chain, str, int], str]


@dataclass(frozen=True)
class Case:
    """An operator at one size: ``link`` adds it to a chain; ``links`` times more in the long chain than in the short.

    ``channels`` and ``side`` are of what each link takes; with one link its input has ``first`` times that side.
    """

    operator: str
    link: Link
    channels: int
    side: int
    links: int = 4
    first: float = 1
    rows: bool = False
    switch: bool = False

    def model(self, count: int) -> onnx.ModelProto:
        chain, value, side = Chain(), "x", round(self.first * self.side)
        for _ in range(count):
            value = self.link(chain, value, self.channels)
        shape: tuple[int, ...] = (self.side, self.channels)
        if not self.rows:
            shape = (1, self.channels, side, side)
            # So that chains of all lengths end in next to nothing.
            value = chain.add("GlobalAveragePool", value)
        graph = make_graph(
            chain.nodes,
            "chain",
            [make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [make_tensor_value_info(value, TensorProto.FLOAT, None)],
            chain.constants,
        )
        return canonical(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8))


def cases() -> Iterator[Case]:
    """Those of small networks: what they are made of, and the channels and sides that they have."""

    def each(operator: str, link: Link, sizes: Sequence[tuple[int, int]], **options: Any) -> Iterator[Case]:
        for channels, side in sizes:
            yield Case(operator, link, channels, side, **options)

    def conv(kernel: int, **options: Any) -> Link:
        return lambda chain, x, channels: chain.conv(x, channels, kernel, **options)

    def depthwise(kernel: int) -> Link:
        return lambda chain, x, channels: chain.conv(x, channels, kernel, groups=channels)

    def after_conv(operator: str, *more: Any, **options: Any) -> Link:
        def link(chain: Chain, x: str, channels: int) -> str:
            inputs = [chain.constant(values=values) for values in more]
            return chain.add(operator, chain.conv(x, channels, 1), *inputs, **options)

        return link

    def with_input(operator: str, kernel: int = 1, *, relu: bool = False) -> Link:
        def link(chain: Chain, x: str, channels: int) -> str:
            y = chain.add(operator, chain.conv(x, channels, kernel), x)
            return chain.add("Relu", y) if relu else y

        return link

    def silu(chain: Chain, x: str, channels: int) -> str:
        y = chain.conv(x, channels, 1)
        return chain.add("Mul", y, chain.add("Sigmoid", y))

    def prelu(chain: Chain, x: str, channels: int) -> str:
        return chain.add("PRelu", chain.conv(x, channels, 1), chain.constant(channels, 1, 1))

    def gate(chain: Chain, x: str, channels: int) -> str:
        y = chain.conv(x, channels, 1)
        return chain.add("Mul", y, chain.add("Sigmoid", chain.add("GlobalAveragePool", y)))

    def concat(chain: Chain, x: str, channels: int) -> str:
        half = channels // 2
        parts = [chain.conv(x, channels, 1, to=half), chain.conv(x, channels, 1, to=half)]
        return chain.add("Concat", *parts, axis=1)

    def shuffle(chain: Chain, x: str, channels: int) -> str:
        return chain.add("DepthToSpace", chain.conv(x, channels, 1, to=4 * channels), blocksize=2, mode="CRD")

    def resize(mode: str) -> Link:
        coordinates = "asymmetric" if mode == "nearest" else "half_pixel"

        def link(chain: Chain, x: str, channels: int) -> str:
            scales = chain.constant(values=np.array([1, 1, 2, 2], np.float32))
            options = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
            return chain.add("Resize", chain.conv(x, channels, 1), "", scales, **options)

        return link

    def transposed(chain: Chain, x: str, channels: int) -> str:
        weight, bias = chain.constant(channels, channels, 4, 4), chain.constant(channels)
        return chain.add("ConvTranspose", x, weight, bias, kernel_shape=[4, 4], pads=[1] * 4, strides=[2, 2])

    def dense(chain: Chain, x: str, channels: int) -> str:
        return chain.add("Gemm", x, chain.constant(channels, channels), chain.constant(channels))

    def product(chain: Chain, x: str, channels: int) -> str:
        return chain.add("MatMul", x, chain.constant(channels, channels))

    yield from each("Conv 1x1", conv(1), _CONVOLVED)
    yield from each("Conv 3x3", conv(3), _CONVOLVED)
    yield from each("Conv 5x5", conv(5), _CONVOLVED[:3])
    yield from each("Conv 3x3, stride 2", conv(3, stride=2), _CONVOLVED[1:5], links=1, first=2)
    yield from each("Conv 3x3, 4 groups", conv(3, groups=4), _CONVOLVED[1:5])
    yield from each("depthwise 3x3", depthwise(3), _DEPTHWISE)
    yield from each("depthwise 5x5", depthwise(5), _DEPTHWISE)
    yield from each("ConvTranspose 4x4, stride 2", transposed, _CONVOLVED[2:5], links=1, first=0.5)
    yield from each("Conv 3x3 + Add + Relu", with_input("Add", 3, relu=True), _CONVOLVED[1:5])
    yield from each("Conv 1x1 + Add", with_input("Add"), _MOVED)
    yield from each("Conv 1x1 + Mul", with_input("Mul"), _MOVED)
    yield from each("Conv 1x1 + Relu", after_conv("Relu"), _MOVED)
    yield from each("Conv 1x1 + HardSwish", after_conv("HardSwish"), _MOVED)
    yield from each("Conv 1x1 + Sigmoid", after_conv("Sigmoid"), _MOVED)
    yield from each("Conv 1x1 + SiLU", silu, _MOVED)
    yield from each("Conv 1x1 + LeakyRelu", after_conv("LeakyRelu", alpha=0.1), _MOVED)
    yield from each("Conv 1x1 + PRelu", prelu, _MOVED)
    yield from each("Conv 1x1 + gate", gate, _MOVED)
    yield from each("two Conv 1x1 + Concat", concat, _MOVED)
    pool = {"kernel_shape": [3, 3], "pads": [1] * 4}
    yield from each("Conv 1x1 + MaxPool 3x3", after_conv("MaxPool", **pool), _MOVED)
    yield from each("Conv 1x1 + AveragePool 3x3", after_conv("AveragePool", **pool), _MOVED)
    yield from each("Conv 1x1 + Resize x2, nearest", resize("nearest"), _MOVED[:2], links=1, first=0.5)
    yield from each("Conv 1x1 + Resize x2, linear", resize("linear"), _MOVED[:2], links=1, first=0.5)
    yield from each("Conv 1x1 + DepthToSpace", shuffle, _MOVED[:2], links=1, first=0.5)
    yield from each("Gemm", dense, _DENSE, rows=True)
    yield from each("MatMul", product, ((64, 64), (192, 64), (192, 256)), rows=True)
    yield from each("Conv 1x1, every second float", conv(1), _CONVOLVED[1:5], switch=True)


def quantized(model: onnx.ModelProto, target: Target, *, switch: bool) -> onnx.ModelProto:
    """With everything in int8, or every second operator.

    Ranges are any, but begin at zero where values do: only then a Relu or Clip is a part of the quantisation.
    """
    ir = to_ir(Sequential(INT8_PASSES)(model).model)
    nodes = {str(node.name): node for node in ir.graph}
    units = {unit.name: unit for unit in find_units(ir, target.operators)}
    ranges = {name: (-4.0, 4.0) for unit in units.values() for name in (*unit.inputs, unit.output)}
    positive = {"Clip": (0.0, 1.0), "Relu": (0.0, 4.0), "Sigmoid": (0.0, 1.0)}
    for unit in units.values():
        ranges[unit.output] = positive.get(nodes[unit.nodes[-1]].op_type, ranges[unit.output])
    weights = {
        name: quantize_weights(nodes[name], None, pair_limit=None, per_channel=unit.operator not in target.per_tensor)
        for name, unit in units.items()
        if unit.channels is not None
    }
    quantizer = Quantizer(ir, units, target, ranges, weights)
    chosen = list(units)[::2] if switch else list(units)
    return quantizer(Plan(frozenset(chosen)))


Run = Callable[[], Any]


def in_onnx_runtime(model: onnx.ModelProto, feeds: dict[str, Any]) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, feeds)


def in_openvino(model: onnx.ModelProto, feeds: dict[str, Any], precision: str = "f32") -> Run:
    core = openvino_core()
    options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(core.read_model(model.SerializeToString()), "CPU", options).create_infer_request()
    return partial(request.infer, feeds)


FORMS = ("ort f32", "ort u8", "ort s8", "ort u8, one scale", "ov f32", "ov bf16", "ov u8", "ov s8")


def forms(case: Case, count: int) -> Iterator[tuple[str, Run]]:
    plain = case.model(count)
    shape = [dimension.dim_value for dimension in plain.graph.input[0].type.tensor_type.shape.dim]
    feeds = {"x": np.random.default_rng(0).standard_normal(shape, np.float32)}
    u8 = replace(TARGETS["x86-vnni"], operators=_EVERYTHING)
    s8 = replace(TARGETS["arm64"], operators=_EVERYTHING)
    one_scale = replace(u8, per_tensor=frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"}))
    models = {name: quantized(plain, target, switch=case.switch) for name, target in {"u8": u8, "s8": s8}.items()}
    yield "ort f32", in_onnx_runtime(plain, feeds)
    yield "ov f32", in_openvino(plain, feeds)
    yield "ov bf16", in_openvino(plain, feeds, "bf16")
    for name, model in models.items():
        yield f"ort {name}", in_onnx_runtime(model, feeds)
        yield f"ov {name}", in_openvino(model, feeds)
    yield "ort u8, one scale", in_onnx_runtime(quantized(plain, one_scale, switch=case.switch), feeds)


@dataclass(frozen=True)
class Times:
    """Microseconds of one operator in ONNX Runtime's float, and what the forms are beside that."""

    case: Case
    microseconds: float
    ratios: dict[str, Ratio]


def measure(case: Case, seconds: float) -> Times:
    short, long = 1, 1 + case.links
    runs = {(name, count): run for count in (short, long) for name, run in forms(case, count)}
    timer = InterleavedTimer(runs, clock=time.thread_time_ns)
    timer.measure(seconds, fewest=15, most=10**9)
    each = {}
    for name in FORMS:
        means = [timer.timed[name, count].round_means() for count in (long, short)]
        # In a single round a disturbance may be longer than the operator.
        each[name] = np.maximum((means[0] - means[1]) / case.links, 1e-5)
    plain = each["ort f32"]
    ratios = {
        name: ratio_of_medians(*(np.split(one, len(one)) for one in (plain, series)), paired=True)
        for name, series in each.items()
        if name != "ort f32" and np.median(series) > 1e-4
    }
    return Times(case, 1e3 * float(np.median(plain)), ratios)


def cell(found: Ratio | None) -> str:
    if found is None:
        return "none"
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    half = (found.high - found.low) / 2
    return f"{found.value:.2f}" + (f" ± {half:.2f}" if half > 0.1 * found.value else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="what an operator's name begins with")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each operator and size")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    machine = Machine.this()
    print(f"{machine.cpu_kind}: {machine.processor}, one thread; load {os.getloadavg()[0]:.1f}\n")
    print(f"| operator | channels, side | {' | '.join(('ort f32, us', *FORMS[1:]))} |\n|{'---|' * (len(FORMS) + 2)}")
    found = []
    for case in cases():
        if not case.operator.lower().startswith(tuple(name.lower() for name in arguments.only)):
            continue
        times = measure(case, arguments.seconds)
        found.append(times)
        cells = [f"{times.microseconds:.1f}", *(cell(times.ratios.get(name)) for name in FORMS[1:])]
        print(f"| {case.operator} | {case.channels}, {case.side} | {' | '.join(cells)} |", flush=True)
    if arguments.json is not None:
        document = [
            {"operator": one.case.operator, "channels": one.case.channels, "side": one.case.side}
            | {"microseconds": one.microseconds}
            | {name: [ratio.value, ratio.low, ratio.high] for name, ratio in one.ratios.items()}
            for one in found
        ]
        arguments.json.write_text(json.dumps({"machine": machine.to_dict(), "times": document}, indent=1))


if __name__ == "__main__":
    main()
