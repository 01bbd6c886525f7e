"""An NCNN model from an ONNX model, by PNNX, whose converter is a program."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx

from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.exporters.conversion.ncnn_int8 import put_int8, take_int8
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import pool_by_operator, stride_by_convolution
from edgevision.exporters.passes.depth_to_space import interleave_by_channel
from edgevision.exporters.passes.graph_pass import Rewriting, Sequential
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.metadata_beside import metadata_path

# NCNN has no strided slices and only one order of DepthToSpace, and PNNX passes both on as layers that do not exist.
_PASSES = Sequential(
    [
        Rewriting("means over a picture as GlobalAveragePool", pool_by_operator),
        Rewriting("strided slices with padding as convolutions", stride_by_convolution),
        Rewriting("DepthToSpace by channel", interleave_by_channel),
    ]
)


def find_pnnx() -> Path:
    """The program; :class:`.MissingExtraError` where PNNX, or NCNN to try what it writes, is not installed."""
    with requires_extra("export-ncnn"):
        import ncnn  # noqa: F401
        import pnnx
    return Path(pnnx.EXEC_PATH)


def write_ncnn(model: onnx.ModelProto, path: Path, metadata: ModelMetadata | None, *, half: bool) -> None:
    """Write ``path`` (``.param``), its ``.bin`` and the metadata beside it; ``half`` stores the weights as fp16.

    Layers of a ``model`` quantised for NCNN compute in int8. Its shapes have to be known; its inputs and outputs keep
    their names. What NCNN has no layer for is found when the file is opened.

    Raises:
        InputError: PNNX gives up, or something is quantised that has no int8 in NCNN.
        OSError: the files cannot be written whole.
    """
    plain, int8 = take_int8(model)
    prepared = _PASSES(canonical(plain)).model
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        source.write_bytes(prepared.SerializeToString())
        command = [str(find_pnnx()), source.name, f"fp16={int(half)}"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        graph, weights = source.with_suffix(".ncnn.param"), source.with_suffix(".ncnn.bin")
        if run.returncode or not graph.is_file() or not weights.is_file():
            raise InputError(f"PNNX cannot convert this model to NCNN: {_reason(run)}")
        if int8:
            put_int8(graph, weights, int8)
        inputs = [value.name for value in prepared.graph.input]
        outputs = [value.name for value in prepared.graph.output]
        path.write_text(_renamed(graph.read_text(), inputs, outputs), encoding="utf-8")
        path.with_suffix(".bin").write_bytes(weights.read_bytes())
    if metadata is not None:
        metadata_path(path).write_text(metadata.to_json() + "\n", encoding="utf-8")


def _renamed(text: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The graph with the model's own names for what PNNX calls ``in0`` and ``out0``."""
    strange = [name for name in (*inputs, *outputs) if len(name.split()) != 1 or "=" in name or len(name) > 200]
    if strange:
        raise InputError(f"NCNN has no tensors with names as {strange[0]!r:.80}: name them without spaces, and shorter")
    names = {f"in{number}": name for number, name in enumerate(inputs)}
    names |= {f"out{number}": name for number, name in enumerate(outputs)}
    lines = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3:
            last = 4 + int(words[2]) + int(words[3])
            # Its own tensors have numbers for names.
            words[4:last] = [names.get(word, f"tensor_{word}") for word in words[4:last]]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _reason(run: subprocess.CompletedProcess[str]) -> str:
    if run.returncode < 0:
        return f"it ended by signal {-run.returncode}"
    lines = [line.strip() for line in (run.stderr + run.stdout).splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"it ended with {run.returncode}"
