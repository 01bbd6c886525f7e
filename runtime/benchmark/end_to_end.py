"""From an encoded picture to the answer, through the pipeline of ``edgevision.load``, its stages timed apart."""

import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.records import Record, record
from edgevision.core.regular_files import read_regular
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.benchmark.statistics import Estimate, percentile
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.benchmark.watched_engine import WatchedEngine

_SIDE = 256
_FEWEST = 20
_WARM_UP = 3


@record
class EndToEnd(Record):
    """Medians of each stage for one picture.

    Those behind ``decode_ms`` are :class:`.PipelineStages`. Nothing is encoded. ``pictures`` says what was given.
    """

    pictures: str
    runs: int
    decode_ms: Estimate
    preprocess_ms: Estimate
    infer_ms: Estimate
    postprocess_ms: Estimate
    total_ms: Estimate


def read_pictures(pictures: Sequence[Path | bytes]) -> list[bytes]:
    """The encoded pictures, every one of which can be decoded.

    Raises:
        InputError: a file cannot be read.
        ImageError: a picture cannot be decoded.
    """
    from edgevision.imaging.pictures import Picture

    encoded = [p if isinstance(p, bytes) else _read(p) for p in pictures]
    for picture in encoded:
        Picture.read(picture)
    return encoded


def described(path: Path, metadata: ModelMetadata | None, option: str = "--end-to-end") -> ModelMetadata:
    """The metadata of a model that has a pipeline; :class:`ModelFileError` where it has none."""
    if metadata is None:
        raise ModelFileError(
            f"{path.name!r} does not say what it is for, so there is no way from picture to answer to measure;"
            f" leave {option} away"
        )
    return metadata


def measure_end_to_end(subject: Subject, encoded: Sequence[bytes], *, seconds: float) -> EndToEnd:
    """Send encoded pictures through one after another, over and over, for ``seconds`` and at least 20 times.

    Without any, a synthetic one is sent, of the size that the model takes or else of 256x256 pixels, as a JPEG.

    Raises:
        ModelFileError: as :func:`described`.
    """
    from edgevision.runtime.load import load

    metadata = described(subject.path, subject.metadata)
    task = find_task(metadata.task)
    sent = f"{len(encoded)} picture{'s' * (len(encoded) > 1)}"
    if not task.takes_pictures:
        encoded, sent = [b""], "none: it draws from seeds"
    elif not encoded:
        height, width = (metadata.image.size if metadata.image else None) or (_SIDE, _SIDE)
        encoded, sent = [synthetic_picture(height, width)], f"a synthetic one of {width}x{height} pixels"
    times: list[tuple[int, ...]] = []
    with load(subject.path, subject.device, threads=subject.threads, allow_fallback=subject.allow_fallback) as pipeline:
        watched = pipeline.engine = WatchedEngine(pipeline.engine)
        decode, answer = task.stages(pipeline)
        end = 0
        for number in range(-_WARM_UP, 10**9):
            if number == 0:
                end = time.perf_counter_ns() + int(seconds * 1e9)
            if number >= _FEWEST and time.perf_counter_ns() >= end:
                break
            start = time.perf_counter_ns()
            decoded = decode(encoded[number % len(encoded)])
            ready = time.perf_counter_ns()
            answer(decoded)
            done = time.perf_counter_ns()
            stages = watched.stages(ready, done)
            if number >= 0:
                times.append((ready - start, *stages, done - start))
    decoding, preparing, inferring, finishing, whole = (percentile(column, 0.5) for column in np.array(times).T / 1e6)
    return EndToEnd(
        pictures=sent,
        runs=len(times),
        decode_ms=decoding,
        preprocess_ms=preparing,
        infer_ms=inferring,
        postprocess_ms=finishing,
        total_ms=whole,
    )


def synthetic_picture(height: int, width: int) -> bytes:
    """A JPEG of smooth colours with some noise, which takes a decoder about as long as a photo of that size."""
    from PIL import Image

    rows, columns = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(rows / 19 + columns / (7 + 5 * channel)) for channel in range(3)], axis=2)
    noise = np.random.default_rng(0).normal(0, 6, waves.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise InputError(f"the picture {str(path)!r} cannot be read: {error.strerror}") from error
