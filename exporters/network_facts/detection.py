"""What a detector's head is, found out from what it answers to samples; several heads that fit are no answer."""

import ast
import json
import logging

import numpy as np

from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.network_facts.detection_layouts import LAYOUTS, Sample
from edgevision.exporters.network_facts.network import Network, check_fit
from edgevision.exporters.samples import seeded_batches
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec

_log = logging.getLogger(__name__)

_REMEDY = "say it with --head: the name of a layout, or a JSON object as docs/detection.md explains it"


def describe_detection(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the network's head, and see that boxes can be made of its answer to a sample.

    Raises:
        InputError: the head cannot be told, or the one that was given does not fit the outputs.
    """
    spec = metadata.spec_as(DetectionSpec)
    labels = spec.labels or _own_labels(network)
    sample = _sample(metadata, network, len(labels))
    if spec.head is None:
        found = _recognised(sample, spec.layout)
        # What the user said of answers counts for more than what is usual with such a head.
        usual = DetectionSpec().to_dict()
        said = {name: value for name, value in spec.to_dict().items() if usual.get(name) != value and name != "layout"}
        spec = DetectionSpec.from_dict(found.to_dict() | said)
        spec = spec.updated(labels=labels or found.labels)
    metadata = metadata.updated(spec=spec)
    check_fit(metadata, network.conversion)
    assert spec.head is not None
    try:
        rows = gather_rows(spec.head, sample.outputs, sample.height, sample.width)
        candidates(spec.head, rows, sample.height, sample.width, min_score=0.0, multi_label=False)
    except ModelFileError as error:
        raise InputError(f"the head does not fit what the network answers: {error}; {_REMEDY}") from error
    return metadata


def _sample(metadata: ModelMetadata, network: Network, labels: int) -> Sample:
    """The network's answer to one sample."""
    with network.reference() as engine:
        batch = next(iter(seeded_batches(metadata, network.shape, 1, network.seed)))
        fixed = engine.inputs[0].shape[0]
        picture = np.repeat(batch[0][:1], fixed if isinstance(fixed, int) else 1, axis=0)
        arrays = engine.run({engine.inputs[0].name: picture})
        names = [spec.name for spec in network.conversion.outputs]
    outputs = {name: _of_one(array, len(picture)) for name, array in zip(names, arrays, strict=True)}
    height, width = picture.shape[2:]
    return Sample(outputs, height, width, labels)


def _of_one(array: np.ndarray, count: int) -> np.ndarray:
    """What is the first of ``count`` equal pictures'."""
    return array[:1] if count > 1 and array.ndim and len(array) == count else array


def _recognised(sample: Sample, layout: str | None) -> DetectionSpec:
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"--head {layout!r} is no layout that is known: {', '.join(LAYOUTS)}; or give a JSON object")
    fitting = {}
    for name, recognise in LAYOUTS.items():
        if layout in (None, name) and (spec := recognise(sample)) is not None:
            fitting[name] = spec.updated(layout=name)
    shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in sample.outputs.items())
    if layout is not None and not fitting:
        raise InputError(f"the outputs are no {layout}: {shapes}; {_REMEDY}")
    if not fitting:
        raise InputError(f"no head is known whose outputs are {shapes}; {_REMEDY}")
    if len(fitting) > 1:
        raise InputError(f"the outputs ({shapes}) may be {' or '.join(fitting)}: say which with --head")
    ((name, spec),) = fitting.items()
    if layout is None:
        what = " ".join((LAYOUTS[name].__doc__ or "").split())
        _log.warning("the head is taken to be %s: %s The outputs are %s", name, what, shapes)
    return spec


def _own_labels(network: Network) -> tuple[str, ...]:
    """The names that Ultralytics' exporter writes into a file: ``{0: 'person', 1: 'bicycle'}``."""
    text = next((entry.value for entry in network.conversion.model.metadata_props if entry.key == "names"), "")
    try:
        names = ast.literal_eval(text) if text.startswith("{") and len(text) < 1_000_000 else json.loads(text or "{}")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ()
    if not isinstance(names, dict) or sorted(map(str, names)) != sorted(map(str, range(len(names)))):
        return ()
    return tuple(str(names.get(index, names.get(str(index)))) for index in range(len(names)))
