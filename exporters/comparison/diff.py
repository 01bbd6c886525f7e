"""``edgevision diff``: two forms of one model, run layer by layer on the same inputs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgevision.core.errors import InputError, ParityError
from edgevision.core.printable import one_line
from edgevision.core.records import Record, record
from edgevision.exporters.comparison.layer_differences import (
    LayerDifference,
    compare_layers,
    first_parting,
    ranked,
)
from edgevision.exporters.comparison.layer_graph import LayerGraph
from edgevision.exporters.comparison.onnx_layers import OnnxLayers
from edgevision.exporters.comparison.openvino_layers import OpenVinoLayers
from edgevision.exporters.parity import ParityReport, compare_engines
from edgevision.exporters.samples import data_batches, in_portions, read_inputs, seeded_batches
from edgevision.exporters.sources.describe import describe
from edgevision.exporters.sources.foreign_model import load_foreign_model
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat, model_format, read_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Closeable, Engine
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.samples import Batch, tensor_samples


@record
class DiffReport(Record):
    """Two models of which the second should compute what the first does.

    Attributes:
        outputs: how far what they give lies apart in the end.
        layers: those that both have, in the order of the second.
        only_first, only_second: the names of those that the other does not have.
        parts_at: the first layer that computes something else; ``None`` where none does.
        adds_most: the layers by what each adds by itself, the most first.
    """

    first: str
    second: str
    outputs: ParityReport
    layers: tuple[LayerDifference, ...]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    parts_at: str | None = None
    adds_most: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diff:
    """The report, and for pages the second model's ``graph`` with the counts of the values of its layers by name."""

    report: DiffReport
    graph: LayerGraph
    counts: Mapping[str, NDArray[Any]]


def diff(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    input_shape: tuple[int, ...] | None = None,
    samples: int = 8,
    seed: int = 0,
    histograms: bool = False,
) -> Diff:
    """Run two models, ONNX or OpenVINO IR, on the same inputs and compare what each layer gives.

    Args:
        data: a folder or zip of pictures, or an ``.npz`` with an array for each input; without it the task's seeded
            sampler draws.
        input_shape: of the samples, batch first, for models that take any size.
        samples: how many inputs.

    Raises:
        InputError: something given cannot be used, or the models have nothing in common.
        DeviceError: one of them does not run here.
    """
    paths = Path(first), Path(second)
    with _opened(paths[0]) as one, _opened(paths[1]) as other:
        _check_inputs(paths, one.engine.inputs, other.engine.inputs)
        metadata = one.metadata or other.metadata
        batches, source = _batches(one.engine, metadata, data, input_shape, samples, seed)
        fixed = [size for model in (one, other) for size in model.engine.inputs[0].shape[:1] if isinstance(size, int)]
        batches = in_portions(batches, max(fixed, default=1))
        predictions = None
        if metadata is not None:
            predictions = partial(find_task(metadata.task).predictions, metadata=metadata)
        try:
            outputs = compare_engines(one.engine, other.engine, batches, source=source, predictions=predictions)
        except ParityError as error:
            raise InputError(f"{_names(paths)} are no forms of one model: their outputs have other shapes") from error
        compared = compare_layers(one.graph, other.graph, batches, histograms=histograms)
    if not compared.layers:
        raise InputError(f"{_names(paths)} have no layer in common: neither names nor operators and shapes agree")
    parting = first_parting(compared.layers)
    theirs = {layer.counterpart for layer in compared.layers}
    ours = {layer.name for layer in compared.layers}
    report = DiffReport(
        first=paths[0].name,
        second=paths[1].name,
        outputs=outputs,
        layers=compared.layers,
        only_first=tuple(layer.name for layer in one.graph.layers if layer.name not in theirs),
        only_second=tuple(layer.name for layer in other.graph.layers if layer.name not in ours),
        parts_at=None if parting is None else parting.name,
        adds_most=tuple(layer.name for layer in ranked(compared.layers)),
    )
    return Diff(report, other.graph, compared.counts)


@dataclass(frozen=True)
class _Opened(Closeable):
    """A model file with what it says of itself, the engine of it as it is, and its layers."""

    metadata: ModelMetadata | None
    engine: Engine
    graph: LayerGraph

    def close(self) -> None:
        self.engine.close()


def _opened(path: Path) -> _Opened:
    kind = model_format(path)
    if kind is ModelFormat.CHECKPOINT:
        raise InputError(f"{path.name!r} is a checkpoint: export it first, and compare the models")
    if kind is ModelFormat.OPENVINO:
        engine = open_engine(path, "openvino:cpu")
        metadata = read_metadata(path)
        return _Opened(metadata, engine, OpenVinoLayers(path, metadata.target if metadata is not None else None))
    model, engine = load_foreign_model(path)
    metadata = read_metadata(path)
    return _Opened(metadata, engine, OnnxLayers(model, metadata.target if metadata is not None else None))


def _check_inputs(paths: Sequence[Path], first: Sequence[TensorSpec], second: Sequence[TensorSpec]) -> None:
    """Raise :class:`InputError` where there can be no samples that both take."""
    said = [", ".join(f"{spec.name} {'x'.join(map(str, spec.shape))}" for spec in specs) for specs in (first, second)]
    differ = len(first) != len(second)
    names = [spec.name for spec in first]
    if not differ and set(names) == {spec.name for spec in second}:
        second = sorted(second, key=lambda spec: names.index(spec.name))
    for one, other in zip(first, second, strict=False):
        sides = zip(one.shape, other.shape, strict=False)
        fixed = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in sides)
        differ = differ or fixed or len(one.shape) != len(other.shape)
    if differ:
        raise InputError(
            f"{_names(paths)} are no forms of one model: the inputs of the first are {one_line(said[0])}, those of the"
            f" second {one_line(said[1])}"
        )


def _batches(
    engine: Engine,
    metadata: ModelMetadata | None,
    data: str | os.PathLike[str] | None,
    input_shape: tuple[int, ...] | None,
    samples: int,
    seed: int,
) -> tuple[list[Batch], str]:
    """Inputs to compare on, and what they are called."""
    path = Path(data) if data is not None else None
    if path is not None and path.suffix == ".npz":
        arrays = read_inputs(path, engine.inputs)
        return [[array[:samples] for array in arrays]], path.name
    if metadata is None or (input_shape is not None and metadata.task == OTHER.name):
        if path is not None:
            raise InputError("neither model says how a picture becomes its input: give an .npz with an array for each")
        return _drawn(engine, input_shape, samples, seed), f"seeded sampler, seed {seed}"
    if path is not None:
        if metadata.image is None:
            raise InputError(f"{metadata.name!r} does not say how a picture becomes its input: give an .npz")
        folder = find_task(metadata.task).open_data(path)
        found = list(data_batches(folder, metadata, samples, engine))
        return found, f"{len(found[0][0]) if len(found) == 1 else samples} of {folder.path.name} {folder.split}".strip()
    described, shape = describe(metadata, {}, name=metadata.name, input_shape=input_shape)
    return list(seeded_batches(described, shape, samples, seed)), f"seeded sampler, seed {seed}"


def _drawn(engine: Engine, input_shape: tuple[int, ...] | None, samples: int, seed: int) -> list[Batch]:
    first = engine.inputs[0]
    shape = input_shape if input_shape is not None else first.shape
    if len(shape) != len(first.shape) or any(isinstance(side, str) for side in shape[1:]):
        sides = "x".join(map(str, first.shape)) or "a single number"
        raise InputError(f"input {first.name!r} is {sides}: give --input-shape, the batch first and all sides known")
    return list(tensor_samples(engine.inputs, tuple(int(side) for side in shape[1:]), samples, seed))


def _names(paths: Sequence[Path]) -> str:
    return " and ".join(repr(path.name) for path in paths)
