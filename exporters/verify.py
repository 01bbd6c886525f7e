"""Whether a model file still computes what a checkpoint or an ONNX model does, and is as accurate."""

import dataclasses
import os
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.exporters.analysis.randomness import check_repeatable
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.checkpoints.checkpoint import Checkpoint
from edgevision.exporters.checkpoints.float32 import cast_in_float32
from edgevision.exporters.input_settings.report import SettingsReport
from edgevision.exporters.input_settings.search import find_wrong_setting
from edgevision.exporters.parity import ParityReport, compare_engines
from edgevision.exporters.samples import data_batches, seeded_batches
from edgevision.exporters.sources.describe import describe
from edgevision.exporters.sources.foreign_model import ForeignEngine, load_foreign_model
from edgevision.exporters.sources.network_part import exported_part, take_part
from edgevision.exporters.sources.picture_input import picture_input
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import read_metadata, require_metadata
from edgevision.modelfiles.model_references import is_reference, local_file
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport

DEFAULTS = EvaluationOptions()


@record
class VerificationReport(Record):
    """The parity, and with pictures the quality of the checkpoint and of the model on all of them.

    ``notes`` say which weights of the checkpoint were taken; ``settings`` whether others than the model's are better.
    """

    model: str
    checkpoint: str
    parity: ParityReport
    checkpoint_quality: QualityReport | None = None
    model_quality: QualityReport | None = None
    notes: tuple[str, ...] = ()
    settings: SettingsReport | None = None


def verify(
    model: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str],
    *,
    arch: str | None = None,
    arch_options: Mapping[str, Any] | None = None,
    weights: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    data: str | os.PathLike[str] | None = None,
    evaluation: EvaluationOptions = DEFAULTS,
    device: str = "cpu",
    samples: int = 256,
    trust_pickle: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> VerificationReport:
    """Run the model and the network of ``checkpoint``, or the ONNX model that it is, on the same inputs.

    With ``data`` these are ``samples`` of its pictures, and both are evaluated on all of them, as ``evaluation`` says,
    if they have what the task compares with, as class folders for a classifier; and other settings of the model's input
    are tried on up to a thousand of them, whether one does better. Without, they are drawn by the task's
    seeded sampler, in ``input_shape`` where the model takes any size. The floors of :meth:`ParityReport.check` are left
    to the caller.

    Raises:
        ModelFileError, CheckpointError, InputError, DatasetError, DeviceError: something given cannot be used.
    """
    path, source = Path(model), local_file(checkpoint) if is_reference(checkpoint) else Path(checkpoint)
    metadata = require_metadata(path)
    task = find_task(metadata.task)
    folder = task.open_data(data) if data is not None else None
    original: Checkpoint | None = None
    opened: TorchEngine | ForeignEngine
    if source.suffix.lower() != ".onnx":
        original = read_checkpoint(
            source, arch=arch, arch_options=arch_options, weights=weights, trust_pickle=trust_pickle
        )
        original = take_part(original, exported_part(original, metadata))
        opened = TorchEngine(original.network, metadata.inputs, metadata.outputs)
    elif arch is not None or weights is not None:
        raise InputError(f"{source.name!r} is an ONNX model: --arch and --weights are for PyTorch checkpoints")
    else:
        opened = _given(source, metadata)
    with open_engine(path, device) as engine, opened as reference:
        if folder is not None and metadata.image is not None:
            batches, drawn = data_batches(folder, metadata, samples, reference), f"{folder.path.name} {folder.split}"
        else:
            _, shape = describe(metadata, {}, name=metadata.name, input_shape=input_shape)
            batches, drawn = seeded_batches(metadata, shape, samples, seed), f"seeded sampler, seed {seed}"
        first = next(batches)
        notes: tuple[str, ...] = ()
        if original is not None:
            examples = [torch.from_numpy(array[:1] if array.ndim else array) for array in first]
            notes = (*original.notes, *cast_in_float32(original.network, examples))
            check_repeatable(original.network, examples)
        batches = chain([first], batches)
        predictions = partial(task.predictions, metadata=metadata)
        parity = compare_engines(reference, engine, batches, source=drawn.strip(), predictions=predictions)
        quality: dict[str, Any] = {}
        if folder is not None and task.can_evaluate(metadata, folder):
            options = dataclasses.replace(evaluation, quiet=quiet)
            for who, one in (("checkpoint", reference), ("model", engine)):
                quality[f"{who}_quality"] = task.evaluate(task.pipeline(one, metadata), folder, options)
        settings: SettingsReport | None = None
        if folder is not None:
            options = dataclasses.replace(evaluation, quiet=quiet)
            origin = original.metadata if original is not None else read_metadata(source)
            settings = find_wrong_setting(engine, metadata, folder, options, origin=origin)
    return VerificationReport(
        model=path.name, checkpoint=source.name, parity=parity, notes=notes, settings=settings, **quality
    )


def _given(source: Path, metadata: ModelMetadata) -> ForeignEngine:
    """An ONNX model that has to have the inputs and outputs that ``metadata`` names."""
    given, engine = load_foreign_model(source)
    picture = picture_input(given, metadata.inputs[0].shape) if metadata.image is not None else None
    if picture is not None and picture.name == metadata.inputs[0].name:
        given = picture.applied(given)
    else:
        picture = None
    for kind, values, specs in (
        ("input", given.graph.input, metadata.inputs),
        ("output", given.graph.output, metadata.outputs),
    ):
        missing = [spec.name for spec in specs if spec.name not in {value.name for value in values}]
        if missing:
            raise InputError(f"{metadata.name!r} was not made from {source.name!r}, which has no {kind} {missing[0]!r}")
    return ForeignEngine(engine, [spec.name for spec in metadata.outputs], picture)
