"""Training a network over frames."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from edgevision.modelfiles.metadata import ImageSpec, TensorSpec
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.sequences.spec import SequenceSpec
from edgevision.runtime.tasks.sequences.task import SEQUENCE
from edgevision.training.data import LabelledTensors
from edgevision.training.data_source import clip_spec, open_clip_split, open_clips
from edgevision.training.labelled_training import LabelledTraining
from edgevision.training.sequence_data import TensorClips
from edgevision.training.sequence_module import SequenceModule
from edgevision.training.settings import SequenceSettings


def train_sequence(
    settings: SequenceSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """The path of the finished checkpoint in the folder ``output``; see :meth:`.LabelledTraining.train`."""
    return _SequenceTraining(settings).train(output, force=force, quiet=quiet)


class _SequenceTraining(LabelledTraining[SequenceSettings]):
    module = SequenceModule

    def open(self) -> Any:
        return open_clips(self.settings)

    def open_split(self, path: str, split: str) -> Any:
        return open_clip_split(path, split, seed=self.settings.seed)

    def image_spec(self, data: Any) -> ImageSpec:
        return clip_spec(data, size=self.settings.image_size, color=self.settings.color)

    def tensors(
        self, data: Any, indices: Any, image: ImageSpec, *, quiet: bool, whole: bool = False
    ) -> LabelledTensors:
        length, every = self.settings.frames, self.settings.every
        return TensorClips(data, indices, image, frames=length, every=every, quiet=quiet, whole=whole)

    def test_tensors(self, data: Any, image: ImageSpec) -> LabelledTensors:
        return self.tensors(data, np.arange(len(data)), image, quiet=True, whole=True)

    def answer(self, logits: Tensor) -> Tensor:
        return logits[:, -1]

    def describe(self, image: ImageSpec, labels: tuple[str, ...]) -> dict[str, Any]:
        frames, every = self.settings.frames, self.settings.every
        shape = ("batch", "time", image.color.channels, *(image.size or ()))
        return {
            "task": SEQUENCE.name,
            "inputs": (TensorSpec(name="frames", shape=shape),),
            "outputs": (TensorSpec(name="logits", shape=("batch", "time", len(labels))),),
            "spec": SequenceSpec(labels=labels, activation=Activation.NONE, frames=frames, every=every),
        }
