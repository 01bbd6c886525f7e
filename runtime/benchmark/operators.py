"""How long each operator of a model takes, what it computes and moves for it, and how near that is to the machine."""

import math
from collections.abc import Mapping, Sequence

from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.engine_profile import OperatorTime, Shape
from edgevision.runtime.benchmark.roofline import Peak, is_openvino, measure_peak
from edgevision.runtime.benchmark.subject import Subject

_MOVES = {
    *("Cast", "Concat", "Convert", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MemcpyFromHost"),
    *("MemcpyToHost", "Pad", "Reorder", "ReorderInput", "ReorderOutput", "Reshape", "Shape", "Slice", "SpaceToDepth"),
    *("Split", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze"),
}


@record
class Operator(Record):
    """One operator of the graph as the engine runs it, after its own fusions.

    ``microseconds`` is the median of an inference, ``share`` (0..1) of all operators' time. ``operations`` counts a
    multiplication and an addition as two, ``bytes`` what is read and written if each tensor is moved once.
    ``peak_share`` is ``gflops`` over the measured peak of fp32, which int8 may exceed. ``bound`` is what would limit it
    were it perfect, ``compute`` or ``memory``.
    """

    name: str
    operator: str
    where: str
    microseconds: float
    share: float
    operations: int
    bytes: int
    gflops: float | None = None
    gb_per_s: float | None = None
    peak_share: float | None = None
    bound: str | None = None


@record
class OperatorProfile(Record):
    """A short run by itself with the engine's profiler on, which slows it: shares are telling, sums are not.

    ``read_ms`` and ``compile_ms`` are the engine's own account of loading. ``nodes`` counts operators by type.
    """

    runs: int
    read_ms: float | None
    compile_ms: float | None
    nodes: Mapping[str, int]
    operators: tuple[Operator, ...]
    peak: Peak


def profile(subject: Subject) -> OperatorProfile:
    """Profile the subject's model on its own inputs, in an engine of its own."""
    if is_openvino(subject):
        from edgevision.runtime.benchmark.openvino_profile import profile_openvino as run_profiled
    else:
        from edgevision.runtime.benchmark.onnx_runtime_profile import profile_onnx_runtime as run_profiled
    found = run_profiled(subject)
    peak = measure_peak(subject)
    total = sum(timed.microseconds for timed in found.operators) or 1.0
    kinds = [timed.operator for timed in found.operators]
    return OperatorProfile(
        runs=found.runs,
        read_ms=found.read_ms,
        compile_ms=found.compile_ms,
        nodes={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        operators=tuple(_described(timed, total, peak) for timed in found.operators),
        peak=peak,
    )


def _described(timed: OperatorTime, total: float, peak: Peak) -> Operator:
    work = count_operations(timed.operator, [s for s, _ in timed.inputs], [s for s, _ in timed.outputs])
    moved = sum(math.prod(shape) * size for shape, size in (*timed.inputs, *timed.outputs))
    operator = Operator(
        name=timed.name,
        operator=timed.operator,
        where=timed.where,
        microseconds=timed.microseconds,
        share=timed.microseconds / total,
        operations=work,
        bytes=moved,
    )
    if not timed.microseconds:
        return operator
    gflops = work / timed.microseconds / 1e3
    memory_bound = peak.gb_per_s is not None and moved and work / moved * peak.gb_per_s < peak.gflops
    return operator.updated(
        gflops=gflops,
        gb_per_s=moved / timed.microseconds / 1e3,
        peak_share=gflops / peak.gflops,
        bound=None if peak.gb_per_s is None else "memory" if memory_bound else "compute",
    )


def count_operations(operator: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Operations of one operator by the shapes of its tensors, as ONNX and OpenVINO order them.

    A product's first matrix is taken not to be transposed. Where the formula is not known, it is one operation for each
    value that is read or written, whichever is more; none for what only moves values.
    """
    read, written = (math.prod(shapes[0]) if shapes else 0 for shapes in (inputs, outputs))
    if "conv" in operator.lower() and operator not in _MOVES:
        weights = next((shape for shape in inputs[1:] if len(shape) >= len(inputs[0])), None)
        if weights is not None:
            # The last dimensions are channels and window; before them stand other channels, and groups in OpenVINO.
            window = math.prod(weights[-(len(inputs[0]) - 1) :])
            backwards = any(word in operator for word in ("ConvTranspose", "Deconvolution", "ConvolutionBackprop"))
            return 2 * window * (read if backwards else written)
    if any(word in operator for word in ("MatMul", "Gemm", "FullyConnected")) and inputs and inputs[0]:
        return 2 * written * inputs[0][-1]
    return 0 if operator in _MOVES else max(read, written)
