"""Windows of frames as batches for a training, all in memory."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edgevision.core.errors import DatasetError
from edgevision.core.progress import track
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.runtime.tasks.sequences.clips import ClipDataset, sampled_clip
from edgevision.training.data import Batch
from edgevision.training.left_out import LeftOut

_MOST_BYTES = 4 << 30


class TensorClips(Dataset[Batch]):
    """The chosen clips of a data set as windows of equally many frames; a list of positions gives a batch.

    That is uint8 (N, frames, channels, height, width) and the labels int64 (N,). Clips that cannot be read are left out
    with a warning.

    Raises:
        DatasetError: none can be read, or they do not fit into memory.
    """

    cached = True

    def __init__(
        self,
        source: ClipDataset,
        indices: NDArray[np.int64],
        spec: ImageSpec,
        *,
        frames: int,
        every: int,
        quiet: bool,
        whole: bool = False,
    ) -> None:
        """``whole`` takes of a clip the last window only, which is its answer."""
        assert spec.size is not None
        self._source, self._spec, self._every, self._frames = source, spec, every, frames
        left_out = LeftOut()
        clips: list[NDArray[np.uint8]] = []
        windows: list[tuple[int, int]] = []
        labels: list[int] = []
        size = 0
        for index in track(indices, len(indices), "reading clips", quiet=quiet):
            clip = left_out.attempt(self._read, int(index))
            if clip is None:
                continue
            size += clip.nbytes
            if size > _MOST_BYTES:
                raise DatasetError(
                    f"the clips do not fit into {_MOST_BYTES >> 30} GB; give a smaller --image-size or a larger --every"
                )
            starts = _window_starts(len(clip), frames)
            windows += [(len(clips), start) for start in (starts[-1:] if whole else starts)]
            labels += [int(source.labels[index])] * (1 if whole else len(starts))
            clips.append(clip)
        left_out.say(len(indices))
        self._clips, self._windows = clips, windows
        self.labels: NDArray[np.int64] = np.array(labels, np.int64)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, positions: Sequence[int]) -> Batch:
        pixels = np.stack([self._window(*self._windows[position]) for position in positions])
        clips = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 1, 4, 2, 3)))
        return clips, torch.from_numpy(self.labels[np.asarray(positions)])

    def _read(self, index: int) -> NDArray[np.uint8]:
        return sampled_clip(self._source.frames(index), self._spec, every=self._every, name=f"clip {index}")

    def _window(self, number: int, start: int) -> NDArray[np.uint8]:
        clip = self._clips[number][start : start + self._frames]
        missing = self._frames - len(clip)
        return np.concatenate([np.repeat(clip[:1], missing, axis=0), clip]) if missing else clip


def _window_starts(length: int, frames: int) -> list[int]:
    """Where windows begin in a clip, each half over the one before, the last at its end."""
    last = max(0, length - frames)
    return [*range(0, last, max(1, frames // 2)), last]
