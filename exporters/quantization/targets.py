"""What int8 has to look like for each device to be exact and fast there: one explicit table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgevision.core.errors import InputError
from edgevision.core.machine import INT8_ON_X86, Machine
from edgevision.exporters.passes.ir import Array
from edgevision.exporters.quantization.units import Unit
from edgevision.modelfiles.model_file import ModelFormat

_CPU_OPERATORS = frozenset(
    {"Add", "AveragePool", "Concat", "Conv", "Gemm", "GlobalAveragePool", "LeakyRelu", "MatMul", "Mul", "Sigmoid"}
)
_GPU_OPERATORS = frozenset({"Add", "AveragePool", "Conv", "ConvTranspose", "Gemm", "GlobalAveragePool", "MatMul"})
_NPU_OPERATORS = (_CPU_OPERATORS | _GPU_OPERATORS) | frozenset(
    {"Clip", "Div", "HardSwish", "PRelu", "Pad", "ReduceMean", "Relu", "Resize", "Softmax", "Split", "Sub", "Tanh"}
)
# Its Gemm, which a MatMul becomes, finds the ranges of what it takes anew each time.
_NCNN_OPERATORS = frozenset({"Conv", "Gemm"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """One kind of device.

    Attributes:
        activations: dtype of what flows between operators, ``uint8`` or ``int8``.
        activations_of_16_bits: the one for operators that lose too much with 8 (A16W8); ``None`` where there is none.
        symmetric: whether zero has to be the integer 0.
        pair_limit: the largest magnitude of the sum of two weights whose products are added up in 16 bits.
        operators: those that have int8 kernels.
        gives_float: those of them whose kernels can give float, too.
        quantized_bias: whether biases are int32 with the scale of the products.
        least_channels: convolutions with fewer, in or out, stay float.
        dilated_depthwise: whether such convolutions are int8. OpenVINO 2026.4.1 computes without end in the first
            inference of a network of 251 units in int8 (ExtremeC3: the kernel ``jit_avx512_I8`` of a depthwise 3x3
            with dilation 8 behind one of 1x15; the same layer by itself runs), and returns with these in float. ONNX
            Runtime's int8 kernels of depthwise convolutions are no faster than float.
        groups_of_several: whether convolutions in groups with several outputs each are int8.
        rounds_inputs: whether a kernel takes and gives float and rounds what it takes for itself alone.
        fine_inputs: whether what a network is given may be taken in two parts of 8 bits, see :mod:`.fine_inputs`.
        least_range: a tensor's values are taken to span at least this.
        per_tensor: operators whose weights share one scale.
        weight_only: whether its files keep weights in int8 of which no int8 arithmetic is made.
        static_shapes: whether every side must be known.
        compiler: the exact device that has to take its files, simulated or not, where it is installed.
        npu: there is no float worth the name: everything that can be is int8, and only quality is asked.
        speedup: what int8 convolutions are expected to gain where the device is not at hand to be measured.
        format: the only one that runs there; ``None`` for any that is not for such a target.
        source: where all this is written.
    """

    name: str
    activations: str = "uint8"
    activations_of_16_bits: str | None = None
    symmetric: bool = False
    pair_limit: int | None = None
    operators: frozenset[str] = _CPU_OPERATORS
    gives_float: frozenset[str] = frozenset({"Gemm", "MatMul"})
    quantized_bias: bool = True
    least_channels: int = 1
    dilated_depthwise: bool = True
    groups_of_several: bool = True
    rounds_inputs: bool = False
    fine_inputs: bool = False
    least_range: float = 1e-6
    per_tensor: frozenset[str] = frozenset()
    weight_only: bool = True
    static_shapes: bool = False
    compiler: str | None = None
    npu: bool = False
    speedup: float
    format: ModelFormat | None = None
    source: str

    def has_kernel(self, unit: Unit) -> bool:
        """Whether it computes that in int8."""
        if unit.dilated_depthwise and not self.dilated_depthwise:
            return False
        if unit.groups > 1 and unit.channels != (1, unit.groups) and not self.groups_of_several:
            return False
        wide = unit.channels is None or min(unit.channels) >= self.least_channels
        return unit.operator in self.operators and wide

    def activation_scale(self, low: float, high: float, *, a16w8: bool = False) -> tuple[float, Array]:
        """Scale and zero point for values from ``low`` to ``high``.

        The zero point is a 0-d array of :attr:`activations`, or of :attr:`activations_of_16_bits` for ``a16w8``. Zero
        is always represented exactly: padding and what a Relu cuts off must not shift.
        """
        dtype = self.activations_of_16_bits if a16w8 else self.activations
        assert dtype is not None
        info = np.iinfo(dtype)
        low, high = min(low, 0.0), max(high, 0.0)
        if self.symmetric:
            bound = max(-low, high, self.least_range)
            return bound / info.max, np.array(0, info.dtype)
        scale = max(high - low, self.least_range) / (info.max - info.min)
        zero = int(np.clip(round(info.min - low / scale), info.min, info.max))
        return scale, np.array(zero, info.dtype)


_ORT = "onnxruntime.ai/docs/performance/model-optimizations/quantization.html"

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        # vpmaddubsw adds two products of u8 and s8 in 16 bits and saturates: 255 * 128 = 32640 is the most that fits.
        # Bounding the sum of two weights instead of each to 64 keeps most of the eighth bit.
        Target(
            name="x86-avx2",
            pair_limit=128,
            dilated_depthwise=False,
            speedup=1.6,
            source=f"{_ORT}: When and why do I need to try U8U8",
        ),
        # vpdpbusd adds four products in 32 bits.
        Target(name="x86-vnni", dilated_depthwise=False, fine_inputs=True, speedup=2.5, source=f"{_ORT}: VNNI"),
        # Symmetric weights and int8 activations have kernels of their own (MlasConvSym).
        Target(
            name="arm64",
            activations="int8",
            fine_inputs=True,
            speedup=1.3,
            source=f"{_ORT}: S8S8 is the first choice",
        ),
        Target(
            name="arm64-dotprod",
            activations="int8",
            fine_inputs=True,
            speedup=2.5,
            source=f"{_ORT}: S8S8 is the first choice",
        ),
        Target(
            name="jetson-orin",
            activations="int8",
            symmetric=True,
            operators=_GPU_OPERATORS,
            gives_float=frozenset(),
            quantized_bias=False,
            least_channels=16,
            speedup=1.5,
            source="docs.nvidia.com/deeplearning/tensorrt: Working with Quantized Types, explicit quantization",
        ),
        Target(
            name="intel-npu",
            operators=_NPU_OPERATORS,
            gives_float=frozenset(),
            static_shapes=True,
            npu=True,
            speedup=2.0,
            source="docs.openvino.ai: NPU Device; Post-training Quantization",
        ),
        # Both formats may stand in one graph: what is dequantised from one and at once quantised to the other becomes
        # a Convert of the NPU (onnxruntime pull 19511).
        Target(
            name="qualcomm-htp",
            activations_of_16_bits="uint16",
            operators=_NPU_OPERATORS,
            gives_float=frozenset(),
            least_range=1e-4,
            per_tensor=frozenset({"MatMul", "Gemm"}),
            static_shapes=True,
            compiler="qnn:npu",
            npu=True,
            speedup=5.0,
            source="onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider.html: Generating a quantized model",
        ),
        # Asymmetric int8 for each tensor, symmetric weights for each channel. How much faster that is than float16 was
        # not measured on a board: the figure is a guess.
        Target(
            name="rk3588",
            activations="int8",
            operators=_NPU_OPERATORS,
            gives_float=frozenset(),
            weight_only=False,
            static_shapes=True,
            npu=True,
            speedup=2.0,
            format=ModelFormat.RKNN,
            source="rknn-toolkit2 2.5, quantized_dtype w8a8, as it builds and simulates",
        ),
    )
}
"""By name; ``source`` of each says where its values come from."""

BOARDS: Mapping[str, str] = {
    "pi3": "arm64",
    "pi4": "arm64",
    "pi5": "arm64-dotprod",
    "orin-nano": "jetson-orin",
    "orin-nx": "jetson-orin",
    "agx-orin": "jetson-orin",
    "snapdragon": "qualcomm-htp",
}
"""Boards by the name people know them by, and their target."""


def find_target(name: str, machine: Machine | None = None) -> Target:
    """The target of that name or board; ``auto`` is the CPU of ``machine``, by default of this one.

    Raises:
        InputError: there is none of that name, or this CPU is not in the table.
    """
    if name == "auto":
        return TARGETS[_own(machine or Machine.this())]
    target = TARGETS.get(BOARDS.get(name, name))
    if target is None:
        raise InputError(f"there is no target {name!r}; known: auto, {', '.join((*TARGETS, *BOARDS))}")
    return target


def for_format(target: Target, format: ModelFormat) -> Target:
    """``target`` with the integers that engines of ``format`` compute with, whatever the CPU.

    LiteRT has int8 activations with a zero point and adds up in 32 bits (ai.google.dev/edge/litert: 8-bit quantization
    specification). NCNN has them without, in layers with weights only, and float between the layers
    (github.com/Tencent/ncnn: docs/how-to-use-and-FAQ/quantized-int8-inference.md).

    Raises:
        InputError: the target runs another format only, or the format is for other targets.
    """
    if format is not target.format and (target.format is not None or format is ModelFormat.RKNN):
        runs = f"{target.name} runs {target.format} models only: give --format {target.format}"
        made = ", ".join(name for name, one in TARGETS.items() if one.format is format)
        raise InputError(runs if target.format is not None else f"{format} models are for --target {made}")
    if format not in (ModelFormat.TFLITE, ModelFormat.NCNN):
        return target
    if format is ModelFormat.NCNN and target.operators != _CPU_OPERATORS:
        raise InputError(f"NCNN computes in int8 on CPUs, not on {target.name}: give --target arm64 or another CPU")
    # Their converters make floats of weights that no int8 arithmetic is done with.
    target = replace(target, activations="int8", pair_limit=None, fine_inputs=False, weight_only=False)
    if format is ModelFormat.TFLITE:
        return target
    return replace(
        target,
        symmetric=True,
        operators=_NCNN_OPERATORS,
        gives_float=_NCNN_OPERATORS,
        quantized_bias=False,
        groups_of_several=False,
        rounds_inputs=True,
    )


def is_this_machine(target: Target) -> bool:
    """Whether what is measured here holds for ``target``."""
    try:
        return _own(Machine.this()) == target.name
    except InputError:
        return False


def _own(machine: Machine) -> str:
    features = set(machine.features)
    if features & INT8_ON_X86:
        return "x86-vnni"
    if features & {"ssse3", "avx2"}:
        # pmaddubsw is of SSSE3; AVX2 and AVX-512 only widen it.
        return "x86-avx2"
    if "asimd" in features:
        return "arm64-dotprod" if "asimddp" in features else "arm64"
    raise InputError(
        "what this CPU can do with int8 is not known; name the device with --target, for example x86-avx2 or pi5"
    )
