"""What a model computes here, for a browser to be compared with: seeded inputs, and the outputs of ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.modelfiles.metadata import ModelMetadata, Precision
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Array, Engine

_ENGINE = "ort:cpu"
"""The engine of which browsers run a build."""

_MOST_SAMPLES = 8
_MOST_BYTES = 1_000_000

# Other sums in float32 cost less than 1e-5 of the range; int8 rounds what falls between two steps to either.
_FLOOR_DB = {Precision.FP32: 60.0, Precision.FP16: 35.0, Precision.INT8: 25.0, Precision.INT8_WEIGHTS: 60.0}


@record
class SampleTensor(Record):
    """An input or output: ``count`` arrays of ``shape``, one behind the other."""

    name: str
    shape: tuple[int, ...]
    count: int


@record
class ParityFacts(Record):
    """What a browser has to know of the samples.

    ``inputs`` and ``outputs`` lie in ``file`` in this order, float32 and little-endian. What is computed from the
    inputs may differ from the outputs by no less than ``floor_db`` of SQNR; of classifiers the first output is largest
    at ``arg_max``. ``reference`` computed them.
    """

    file: str
    reference: str
    count: int
    inputs: tuple[SampleTensor, ...]
    outputs: tuple[SampleTensor, ...]
    floor_db: float
    arg_max: tuple[int, ...] = ()


class ParitySamples(NamedTuple):
    """The facts and the numbers."""

    facts: ParityFacts
    content: bytes


def parity_samples(path: Path, metadata: ModelMetadata, file: str, *, seed: int = 0) -> ParitySamples:
    """Samples for the model at ``path`` and what it makes of them; they are to be written to ``file``.

    Raises:
        InputError: the metadata do not say what the model takes, or it is no array of float32.
        DeviceError: ONNX Runtime is not there, or does not run the model.
    """
    task = find_task(metadata.task)
    shape = task.sample_shape(metadata)
    if shape is None:
        raise InputError(f"{path.name!r} does not say what sizes it takes; export it with --input-shape")
    with open_engine(path, _ENGINE) as engine:
        _check_types(path, engine)
        most = _MOST_SAMPLES
        batch = next(iter(task.samples(metadata, shape, most, seed)))
        outputs = run_batched(engine, batch, most=1)
        size = sum(array[0].nbytes for array in (*batch, *outputs))
        count = max(1, min(most, _MOST_BYTES // size))
        inputs, outputs = [array[:count] for array in batch], [array[:count] for array in outputs]
        facts = ParityFacts(
            file=file,
            reference=engine.name,
            count=count,
            inputs=_described(engine.inputs, inputs),
            outputs=_described(engine.outputs, outputs),
            floor_db=_FLOOR_DB[metadata.precision],
            arg_max=_arg_max(outputs, count, task.predictions(outputs, count, metadata)),
        )
    return ParitySamples(facts, b"".join(_little_endian(array) for array in (*inputs, *outputs)))


def _described(specs: Sequence[Any], arrays: Sequence[Array]) -> tuple[SampleTensor, ...]:
    return tuple(
        SampleTensor(name=spec.name, shape=(1, *array.shape[1:]), count=len(array))
        for spec, array in zip(specs, arrays, strict=True)
    )


def _check_types(path: Path, engine: Engine) -> None:
    for spec in (*engine.inputs, *engine.outputs):
        if spec.dtype != "float32":
            raise InputError(f"{path.name!r} has {spec.name!r} in {spec.dtype}, and pages give and take float32 only")
    batch = engine.inputs[0].shape[0]
    if batch != 1 and isinstance(batch, int):
        raise InputError(f"{path.name!r} takes {batch} samples at once; export it with a batch of 1, or a dynamic one")


def _arg_max(outputs: Sequence[Array], count: int, predictions: Any) -> tuple[int, ...]:
    """Of the first output, where that is what the task says of a sample."""
    largest = outputs[0].reshape(count, -1).argmax(axis=1)
    if predictions is None or not np.array_equal(predictions, largest):
        return ()
    return tuple(int(index) for index in largest)


def _little_endian(array: Array) -> bytes:
    return np.ascontiguousarray(array, dtype="<f4").tobytes()
