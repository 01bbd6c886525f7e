"""The task ``sequence``: what is going on in frames that follow one another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import (
    Specs,
    check_count,
    check_picture,
    needed_image,
    refuse,
    shapes_match,
    shortened_list,
)
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.sequences.spec import SequenceSpec
from edgevision.runtime.tasks.task import Stages, Task, with_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch

_LONGEST_DELAY = 256
"""Frames for which a state may wait: so many of it are kept."""


@dataclass(frozen=True, kw_only=True)
class SequenceTask(Task):
    """Frames in, a score for each class after each of them out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        image, spec, frames, scores = needed_image(metadata), metadata.spec_as(SequenceSpec), inputs[0], outputs[0]
        if image.size is None:
            raise ValueError("metadata.image.size is missing, and frames have one size")
        if spec.states:
            check_picture(image, frames)
            _check_states(spec, inputs[1:], outputs[1:])
        else:
            if len(frames.shape) != 5:
                raise ValueError(
                    f"its input {frames.name!r} is {frames.shape}: a window is (batch, frames, channels, h, w), and"
                    " what takes one frame has to say in metadata.spec.states what it remembers"
                )
            check_count(metadata, "inputs", inputs, 1)
            check_picture(image, frames.updated(shape=(frames.shape[0], *frames.shape[2:])))
        axes = ("batch", "classes") if spec.states else ("batch", "frames", "classes")
        if not scores.dtype.startswith("float") or len(scores.shape) != len(axes):
            raise ValueError(
                f"its output {scores.name!r} is {scores.dtype} {scores.shape}, and scores are ({', '.join(axes)}) as"
                " float"
            )
        labels, classes = len(spec.labels), scores.shape[-1]
        if labels and isinstance(classes, int) and classes != labels:
            refuse(
                "spec.labels", shortened_list(spec.labels), f"its graph has {classes} outputs for these {labels} labels"
            )

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(SequenceSpec)
        shapes = {one.name: one.shape for one in metadata.inputs}
        states = (f"{state.input} {'x'.join(map(str, shapes.get(state.input, ('?',))))}" for state in spec.states)
        return {
            "labels": ", ".join(spec.labels),
            "form": "stream: a frame and the state in, the answer and the next state out" if spec.states else "window",
            "state": ", ".join(states),
            "learned from": f"{spec.frames} frames" + (f", one of {spec.every}" if spec.every > 1 else ""),
        }

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        from edgevision.core.errors import InputError

        if len(shape) not in (3, 4):
            sides = "x".join(map(str, (1, *shape)))
            raise InputError(
                f"a window's --input-shape is 1xFRAMESx3xHxW, and that of one frame of a stream 1x3xHxW, not {sides}"
            )
        document = with_picture(document, shape[-3:], given=given, fixed=True)
        if len(shape) == 4:
            own = document.get("spec", {})
            document |= {"spec": {"frames": shape[0]} | dict(own if isinstance(own, Mapping) else {})}
        return document

    def sample_shape(self, metadata: ModelMetadata) -> tuple[int, ...] | None:
        image, spec = metadata.image, metadata.spec_as(SequenceSpec)
        if image is None or image.size is None:
            return None
        picture = (image.color.channels, *image.size)
        return picture if spec.states else (spec.frames, *picture)

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        states = [state.input for state in metadata.spec_as(SequenceSpec).states]
        return ["frame", *states] if states else super().input_names(metadata, count)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "logits"

    def samples(self, metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> "Iterator[Batch]":
        """Pictures as of other tasks, of a window each frame another; states are normal numbers."""
        import numpy as np

        from edgevision.runtime.tasks.samples import SAMPLES_AT_ONCE, picture_samples

        frames = shape[0] if len(shape) == 4 else 1
        states = metadata.inputs[1:]
        generator = np.random.default_rng(seed)
        image = needed_image(metadata)
        drawn = picture_samples(image, shape[-3:], count * frames, seed, lambda pictures, _: (pictures,))
        pictures = np.concatenate([batch[0] for batch in drawn])
        for start in range(0, count, SAMPLES_AT_ONCE):
            size = min(SAMPLES_AT_ONCE, count - start)
            part = pictures[start * frames : (start + size) * frames]
            remembered = [
                generator.standard_normal((size, *map(int, spec.shape[1:]))).astype(spec.dtype) for spec in states
            ]
            yield part.reshape(size, *shape), *remembered

    def inputs_of(
        self, metadata: ModelMetadata, pictures: "NDArray[np.float32]", shape: tuple[int, ...], share: float
    ) -> "Batch":
        """Windows of one picture in every frame; states are as in the beginning."""
        import numpy as np

        if len(shape) == 4:
            return (np.repeat(pictures[:, None], shape[0], axis=1),)
        states = metadata.inputs[1:]
        return pictures, *(np.zeros((len(pictures), *map(int, one.shape[1:])), one.dtype) for one in states)

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier

        return SequenceClassifier(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        from edgevision.imaging.images import read_image

        watched = pipeline.watch()
        return Stages(read_image, lambda image: watched.next(image).top())

    def predictions(self, outputs: "Sequence[NDArray[Any]]", count: int, metadata: ModelMetadata) -> "NDArray[Any]":
        # Of a window the last frame's, which has seen all.
        scores = outputs[0] if outputs[0].ndim == 2 else outputs[0][:, -1]
        predicted: NDArray[Any] = scores.argmax(-1)
        return predicted

    def open_data(self, path: Any, splits: Sequence[str] = ()) -> Any:
        from edgevision.runtime.tasks.sequences.clips import ClipFolder

        return ClipFolder(path, splits)

    def recorded_batches(self, metadata: ModelMetadata, data: Any, count: int, engine: "Engine") -> "Iterator[Batch]":
        from edgevision.runtime.engines.recording import RecordingEngine

        for index in sorted({round(place * (len(data) - 1) / max(1, count - 1)) for place in range(count)}):
            recorder = RecordingEngine(engine)
            self.pipeline(recorder, metadata)(data.frames(index))
            yield from recorder.batches

    def can_evaluate(self, metadata: ModelMetadata, data: Any) -> bool:
        return bool(data.class_names)

    def evaluate(self, pipeline: Any, data: Any, options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.sequences.evaluation import evaluate_sequences

        return evaluate_sequences(pipeline, data, quiet=options.quiet)

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        return [options]

    def clip_sampler(self, metadata: ModelMetadata) -> "Callable[[Any, str], NDArray[np.uint8]]":
        from edgevision.runtime.tasks.sequences.clips import sampled_clip

        image, every = needed_image(metadata), metadata.spec_as(SequenceSpec).every
        return lambda frames, name: sampled_clip(frames, image, every=every, name=name)

    def quality_on(
        self, metadata: ModelMetadata, reference: "Engine", data: Any, options: "EvaluationOptions"
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.sequences.quality import SequenceQuality

        return SequenceQuality(metadata, reference, data)


def _check_states(spec: SequenceSpec, inputs: Specs, outputs: Specs) -> None:
    """Whether the states are what the graph takes beside the frame, and gives beside the scores."""
    taken, given = {one.name: one for one in inputs}, {one.name: one for one in outputs}
    for kind, named, found in (
        ("input", [state.input for state in spec.states], taken),
        ("output", [state.output for state in spec.states], given),
    ):
        if sorted(named) != sorted(found):
            refuse(f"spec.states.{kind}", named, f"its graph's other {kind}s are {list(found)}")
    for state in spec.states:
        before, after = taken[state.input], given[state.output]
        if not shapes_match(before.shape, after.shape) or before.dtype != after.dtype:
            refuse(
                "spec.states", state.input, f"it is {before.shape} in its graph, and {state.output!r} is {after.shape}"
            )
        if not 1 <= state.delay <= _LONGEST_DELAY:
            refuse("spec.states.delay", state.delay, f"it has to be 1 to {_LONGEST_DELAY} frames")
        if any(isinstance(side, str) for side in before.shape[1:]):
            refuse(
                "spec.states", state.input, f"it is {before.shape} in its graph, and all but its batch must be known"
            )


SEQUENCE = SequenceTask(
    name="sequence",
    summary="Say what is going on in a clip or before a camera, frame by frame.",
    command="edgevision.runtime.tasks.sequences.command:sequence",
    served="edgevision.runtime.tasks.sequences.served:SERVED",
    spec=SequenceSpec,
    ships_for="which of ten motions a digit makes",
    bounds={"frames": (1, 4096), "every": (1, 1000)},
    scores_first=True,
)
