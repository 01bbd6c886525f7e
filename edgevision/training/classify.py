"""Training a classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevision.modelfiles.metadata import ImageSpec, TensorSpec
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec
from edgevision.runtime.tasks.classification.task import CLASSIFY
from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.data import LabelledTensors, TensorImages
from edgevision.training.data_source import image_spec, open_data, open_split
from edgevision.training.labelled_training import LabelledTraining
from edgevision.training.private_learning import PrivateLearning, private_options
from edgevision.training.settings import ClassifierSettings


def train_classifier(
    settings: ClassifierSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """The path of the finished checkpoint in the folder ``output``; see :meth:`.LabelledTraining.train`."""
    return _ClassifierTraining(settings).train(output, force=force, quiet=quiet)


class _ClassifierTraining(LabelledTraining[ClassifierSettings]):
    module = ClassifierModule

    def open(self) -> Any:
        return open_data(self.settings)

    def open_split(self, path: str, split: str) -> Any:
        return open_split(path, split)

    def image_spec(self, data: Any) -> ImageSpec:
        return image_spec(data, size=self.settings.image_size, color=self.settings.color)

    def tensors(self, data: Any, indices: Any, image: ImageSpec, *, quiet: bool) -> LabelledTensors:
        return TensorImages(data, indices, image, quiet=quiet)

    def network_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        return private_options(self.settings.model, options) if self.settings.private else options

    def private_learning(self, samples: int) -> PrivateLearning | None:
        return PrivateLearning(self.settings, samples) if self.settings.private else None

    def describe(self, image: ImageSpec, labels: tuple[str, ...]) -> dict[str, Any]:
        return {
            "task": CLASSIFY.name,
            "inputs": (TensorSpec(name="image", shape=("batch", image.color.channels, *(image.size or ()))),),
            "outputs": (TensorSpec(name="logits", shape=("batch", len(labels))),),
            "spec": ClassificationSpec(labels=labels, activation=Activation.NONE),
        }
