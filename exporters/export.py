"""Checkpoint in, one self-describing model file out, proven to compute the same."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

import edgevision
from edgevision.datasets import ImageFolder
from edgevision.errors import InputError, ParityError
from edgevision.exporters.checkpoints import Checkpoint, read_checkpoint
from edgevision.exporters.describe import describe
from edgevision.exporters.generation import Part, describe_generation, take_part
from edgevision.exporters.half import to_half
from edgevision.exporters.onnx_conversion import (
    Conversion,
    Examples,
    add_metadata,
    another_size,
    convert_to_onnx,
    run_network,
)
from edgevision.exporters.openvino_conversion import write_openvino
from edgevision.exporters.parity import compare_engines
from edgevision.exporters.report import ExportReport, report_path
from edgevision.exporters.restoration import describe_restoration
from edgevision.exporters.samples import Batch, picture_batches, seeded_batches
from edgevision.exporters.torch_engine import TorchEngine, flatten_outputs
from edgevision.exporters.transposed_convolutions import rewrite_transposed_convolutions
from edgevision.files import atomic_folder, check_writable
from edgevision.metadata import METADATA_KEY, ModelMetadata, Precision, Task
from edgevision.modelfacts import read_facts
from edgevision.modelfile import ModelFormat
from edgevision.preprocessing import scale_and_offset
from edgevision.runtime.devices import open_engine

_SUFFIX = {ModelFormat.ONNX: ".onnx", ModelFormat.OPENVINO: ".xml"}
_SAMPLES = 64


def export(
    checkpoint: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    format: ModelFormat | str = ModelFormat.ONNX,
    precision: Precision | str = Precision.FP32,
    part: Part | str = Part.BOTH,
    arch: str | None = None,
    arch_options: Mapping[str, Any] | None = None,
    input_shape: tuple[int, ...] | None = None,
    metadata: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    trust_pickle: bool = False,
    force: bool = False,
    seed: int = 0,
) -> ExportReport:
    """Convert a PyTorch checkpoint to ONNX or OpenVINO IR and compare the result with the original.

    Args:
        checkpoint: a ``.pt`` of this project, or anything :func:`read_checkpoint` reads together with ``arch``.
        output: the model file; by default beside the checkpoint, ending in ``.onnx`` or ``.xml``.
        precision: ``fp32``, or ``fp16`` (weights and arithmetic in half precision, inputs and outputs stay float32).
        part: of a variational autoencoder: ``both``, ``encoder`` or ``decoder``.
        arch, arch_options: the network of a foreign checkpoint, as ``package.module:callable`` and its keywords.
        input_shape: (batch, channels, height, width), or (batch, size) for a latent; needed for a foreign checkpoint.
        metadata: fields of :class:`ModelMetadata` as in its JSON, over what the checkpoint says.
        data: a folder or zip of pictures to compare on; without it a seeded sampler is used (see ``samples.py``).
        force: overwrite an existing output.
        seed: of the sampler.

    Returns:
        The report, which is also written beside the model as ``NAME.report.json``.

    Raises:
        CheckpointError, InputError, DatasetError: something given cannot be used.
        OutputError, DiskFullError: the output cannot be written.
        ParityError: the converted model computes something else. It is not kept, only its report is; an earlier model
            at ``output`` stays as it was.
    """
    start = time.monotonic()
    format, precision = ModelFormat(format), Precision(precision)
    if format is ModelFormat.CHECKPOINT or precision is Precision.INT8:
        raise ValueError(f"export writes onnx or openvino in fp32 or fp16, not {format} in {precision}")
    source = Path(checkpoint)
    target = Path(output) if output is not None else source.with_suffix(_SUFFIX[format])
    if target.suffix != _SUFFIX[format]:
        raise InputError(f"an {format} model's name ends in {_SUFFIX[format]}, not {target.name!r}")
    check_writable(target, force=force)
    folder = ImageFolder(data) if data is not None else None

    original = read_checkpoint(source, arch=arch, arch_options=arch_options, trust_pickle=trust_pickle)
    original = take_part(original, Part(part))
    described, shape = describe(original.metadata, metadata or {}, name=source.stem, input_shape=input_shape)
    # Real values, not random ones: a network may branch on them while it is traced.
    examples = tuple(map(torch.from_numpy, next(iter(seeded_batches(described, shape, 1, seed)))))
    input_names = _input_names(described, len(examples))
    output_names = _output_names(original.network, examples, described, input_names)
    multiple = described.tile.multiple if described.tile else 1
    conversion = convert_to_onnx(
        original.network, examples, input_names=input_names, output_names=output_names, multiple=multiple
    )
    if format is ModelFormat.ONNX and precision is Precision.FP32:
        # OpenVINO has its own forms, and half precision was not timed.
        graph, faster = rewrite_transposed_convolutions(conversion.model, [example.numpy() for example in examples])
        conversion = replace(conversion, model=graph, notes=conversion.notes + faster)
    described = _completed(described, conversion, original, precision)
    if described.task is Task.GENERATE:
        described = describe_generation(described, original.network, conversion, examples)
    if described.restoration is not None:
        described = describe_restoration(described, original.network, conversion, examples)
    failure: ParityError | None = None
    with atomic_folder(target) as temporary:
        model = temporary / target.name
        _write(conversion.model, model, format, precision, described)
        with (
            TorchEngine(original.network, described.inputs, described.outputs) as reference,
            open_engine(model) as engine,
        ):
            batches, sample_source = _samples(folder, described, shape, seed)
            if "height" in conversion.dynamic:
                # That other sizes are accepted is a promise too.
                other = (shape[0], *another_size(shape[1], shape[2], multiple))
                batches = chain(batches, seeded_batches(described, other, _SAMPLES // 8, seed))
                sample_source += f", and {_SAMPLES // 8} of {other[1]}x{other[2]} from the seeded sampler"
            classifier = described.task is Task.CLASSIFY
            parity = compare_engines(reference, engine, batches, source=sample_source, classifier=classifier)
        facts = read_facts(model)
        report = ExportReport(
            model=target.name,
            checkpoint=source.name,
            verdict="good",
            format=format,
            precision=precision,
            exporter=conversion.exporter,
            dynamic=conversion.dynamic,
            notes=original.notes + conversion.notes,
            parity=parity,
            metadata=described,
            seconds=round(time.monotonic() - start, 1),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=facts.sha256,
            size_bytes=facts.size_bytes,
            operators=facts.operators,
        )
        try:
            parity.check(precision)
        except ParityError as error:
            failure = error
            report = report.updated(verdict="failed", reason=str(error), sha256=None, size_bytes=None)
            for file in temporary.iterdir():
                file.unlink()
        report.write(temporary / report_path(target).name)
    if failure is not None:
        raise failure
    return report


def _samples(
    folder: ImageFolder | None, metadata: ModelMetadata, shape: tuple[int, ...], seed: int
) -> tuple[Iterable[Batch], str]:
    """What to compare on, and its name for the report."""
    if folder is not None and metadata.image is not None:
        return picture_batches(folder, metadata, _SAMPLES), f"{folder.path.name} {folder.split}".strip()
    return seeded_batches(metadata, shape, _SAMPLES, seed), f"seeded sampler, seed {seed}"


def _input_names(metadata: ModelMetadata, count: int) -> list[str]:
    if metadata.inputs:
        return [spec.name for spec in metadata.inputs]
    return (["latent", "classes"] if metadata.task is Task.GENERATE else ["image", "mask"])[:count]


def _output_names(network: nn.Module, examples: Examples, metadata: ModelMetadata, taken: Sequence[str]) -> list[str]:
    if metadata.outputs:
        # An output cannot have the name of an input.
        return [f"restored_{spec.name}" if spec.name in taken else spec.name for spec in metadata.outputs]
    count = len(flatten_outputs(run_network(network, examples)))
    spec = metadata.restoration
    names = {Task.CLASSIFY: "logits", Task.GENERATE: "image", Task.ENCODE: "code"}
    first = f"restored_{spec.predicts}" if spec else names.get(metadata.task, "output")
    return [first, *(f"output_{index}" for index in range(1, count))]


def _completed(
    metadata: ModelMetadata, conversion: Conversion, original: Checkpoint, precision: Precision
) -> ModelMetadata:
    """With the converted model's inputs and outputs, its precision, and where it came from."""
    ranges = [spec.value_range for spec in metadata.outputs] or [None] * len(conversion.outputs)
    outputs = tuple(
        spec.updated(value_range=value_range) for spec, value_range in zip(conversion.outputs, ranges, strict=True)
    )
    picture, *masks = conversion.inputs
    inputs = (
        picture.updated(value_range=_input_range(metadata)),
        *(mask.updated(value_range=(0.0, 1.0)) for mask in masks),
    )
    names = ("torch", "onnx", "onnxscript")
    versions = {"edgevision": edgevision.__version__} | {name: version(name) for name in names}
    provenance = metadata.provenance.updated(
        checkpoint_sha256=original.sha256,
        versions=dict(metadata.provenance.versions) | versions,
    )
    return metadata.updated(inputs=inputs, outputs=outputs, precision=precision, provenance=provenance)


def _input_range(metadata: ModelMetadata) -> tuple[float, float] | None:
    if metadata.image is None:
        return None
    scale, offset = scale_and_offset(metadata.image)
    return round(float(offset.min()), 6), round(float((255 * scale + offset).max()), 6)


def _write(
    model: onnx.ModelProto, path: Path, format: ModelFormat, precision: Precision, metadata: ModelMetadata
) -> None:
    if format is ModelFormat.OPENVINO:
        write_openvino(model, path, metadata, half=precision is Precision.FP16)
        return
    if precision is Precision.FP16:
        model = to_half(model)
    add_metadata(model, METADATA_KEY, metadata.to_json())
    path.write_bytes(model.SerializeToString())
