"""Networks over frames on an engine, for whole clips and for what never ends."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import InputError
from edgevision.imaging.picture_sources import ArrayColor, ImageSource, check_array_color, split_pictures
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.graph_check import needed_image
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.engines.state_loop import CarriedState, open_state_loop
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.classification.scores import class_labels, classification_of
from edgevision.runtime.tasks.pipeline import Pipeline, require_finite
from edgevision.runtime.tasks.sequences.clips import clip_frames
from edgevision.runtime.tasks.sequences.result import ClipClassification
from edgevision.runtime.tasks.sequences.spec import SequenceSpec

_LONGEST_WINDOW = 1024
"""Frames that are put into one window: beyond, a clip takes as much memory as it is long."""


class SequenceClassifier(Pipeline):
    """A network over frames on an engine; call it on a clip, or :meth:`watch` frames as they come.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes, in the order of the model's output.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which the pipeline closes in turn; ``color`` is the order of channels in arrays.

        Raises:
            ModelFileError: the labels do not fit the output.
        """
        self.engine, self.metadata = engine, metadata
        self.spec = metadata.spec_as(SequenceSpec)
        self._scores = classification_of(metadata)
        self._color = check_array_color(color)
        self._preprocess = Preprocessor(needed_image(metadata))
        classes = engine.outputs[0].shape[-1]
        count = classes if isinstance(classes, int) else len(self.spec.labels)
        self.labels = class_labels(self.spec.labels, count)

    def __call__(self, clips: Any) -> ClipClassification | list[ClipClassification]:
        """The answers for a clip: a video, a GIF or a folder of frames by its path, an array (T, H, W[, C]) of frames,
        or an iterator of pictures; or for a list of clips.

        Raises:
            InputError: it is none of these, has no frames, or is damaged.
            ImageError: a frame cannot be decoded.
            DeviceError: the device failed.
        """
        if isinstance(clips, list | tuple):
            return [self._answer(clip) for clip in clips]
        return self._answer(clips)

    def watch(self) -> "Watcher":
        """What answers frames one after the other, from the first of a stream on."""
        return Watcher(self)

    def _answer(self, clip: Any) -> ClipClassification:
        frames = islice(clip_frames(clip), None, None, self.spec.every)
        scores = self._of_window(frames) if self.takes_window else self._one_by_one(frames)
        if not len(scores):
            raise InputError(f"{clip!r:.80} has no frames")
        return ClipClassification(self.labels, np.asarray(scores, np.float32), self._scores, self.spec.every)

    @property
    def takes_window(self) -> bool:
        """Whether it takes windows of any length; of one length, frames are answered one by one."""
        return not self.spec.states and isinstance(self.engine.inputs[0].shape[1], str)

    def _of_window(self, frames: Iterator[ImageSource]) -> Array:
        tensors = [self.tensor(frame) for frame in islice(frames, _LONGEST_WINDOW + 1)]
        if len(tensors) > _LONGEST_WINDOW:
            raise InputError(
                f"the clip has more than {_LONGEST_WINDOW} frames, the most of one window; what is exported by --part"
                " stream takes any number"
            )
        return self.run_windows(np.stack(tensors)[None])[0] if tensors else np.empty(0)

    def _one_by_one(self, frames: Iterator[ImageSource]) -> list[Array]:
        watched = self.watch()
        return [watched.step(self.tensor(frame)[None])[0] for frame in frames]

    def tensor(self, frame: ImageSource) -> NDArray[np.float32]:
        """A frame as the network takes it, float32 (channels, height, width)."""
        (picture,), _ = split_pictures(frame, self._color)
        return self._preprocess(picture)

    def last_scores(self, clips: NDArray[np.float32]) -> Array:
        """The scores (N, classes) after the last frame of N clips (N, T, channels, height, width)."""
        if self.takes_window:
            scores: Array = self.run_windows(clips)[:, -1]
            return scores
        watched = Watcher(self, streams=len(clips))
        *_, last = (watched.step(frames) for frames in clips.swapaxes(0, 1))
        return last

    def run_windows(self, clips: NDArray[np.float32]) -> Array:
        """The scores (N, T, classes) after each frame of clips (N, T, channels, height, width)."""
        return require_finite(run_batched(self.engine, [clips])[0], self.engine)  # type: ignore[no-any-return]

    def classification(self, scores: Array) -> Classification:
        """The answer that scores (classes,) are."""
        return Classification(self.labels, np.asarray(scores, np.float32), self._scores)


class Watcher:
    """Answers the frames of a stream in order, or of several in step; what it remembers does not grow.

    A network with a state gets one frame at a time. Of one that takes windows all frames of the last window are run
    again.
    """

    def __init__(self, classifier: SequenceClassifier, *, streams: int = 1) -> None:
        self._classifier = classifier
        spec, engine = classifier.spec, classifier.engine
        states = [CarriedState(state.input, state.output, state.delay) for state in spec.states]
        self._loop = open_state_loop(engine, states, streams) if states else None
        fixed = engine.inputs[0].shape[1]
        self._fixed = int(fixed) if not spec.states and isinstance(fixed, int) else None
        self._window: deque[NDArray[np.float32]] = deque(maxlen=self._fixed or spec.frames)
        self._seen = 0
        self._last: Classification | None = None

    def next(self, frame: ImageSource) -> Classification:
        """The answer after one more frame; of those between two that the network looks at it is the one before.

        Raises:
            ImageError: the frame cannot be decoded; it counts as not seen.
            DeviceError: the device failed.
        """
        due = self._seen % self._classifier.spec.every == 0
        if due or self._last is None:
            self._last = self._classifier.classification(self.step(self._classifier.tensor(frame)[None])[0])
        self._seen += 1
        return self._last

    def step(self, frames: NDArray[np.float32]) -> Array:
        """The scores (N, classes) after one more frame of each stream (N, channels, h, w), as the network takes it."""
        if self._loop is None:
            self._window.append(frames)
            # Before the first frame it was as if nothing had moved.
            missing = max(0, (self._fixed or 0) - len(self._window))
            windows = np.stack([*[self._window[0]] * missing, *self._window], axis=1)
            scores: Array = self._classifier.run_windows(windows)[:, -1]
            return scores
        return require_finite(self._loop(frames), self._classifier.engine)  # type: ignore[no-any-return]
