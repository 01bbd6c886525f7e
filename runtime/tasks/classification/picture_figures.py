"""How well a classifier does on each picture, with classes and without."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageDataset
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.picture_figures import PictureFigures

_LEAST = 1e-6


def classification_figures(engine: Engine, metadata: ModelMetadata, data: ImageDataset) -> PictureFigures:
    """Whether each picture is taken for what it is, in percent, and the logarithm of what its class is given.

    Without the model's classes it is how much a picture's answer tells: the divergence, in bits, of its probabilities
    from their mean over all pictures, which are those of the picture and of its mirror image. A network that is given
    what it was not trained on answers at random, or always the same.
    """
    classifier = Classifier(engine, metadata)
    images = [data.image(index) for index in range(len(data))]
    probable = np.stack([answer.probabilities for answer in classifier(images)]).astype(np.float64)
    try:
        expected = expected_labels(classifier.labels, data)
    except DatasetError:
        return _without_classes(classifier, images, probable)
    every = np.arange(len(expected))
    right = 100.0 * (probable.argmax(axis=1) == expected)
    return PictureFigures("top1", "points", right, np.log(probable[every, expected].clip(_LEAST)))


def _without_classes(
    classifier: Classifier, images: list[Image.Image], probable: NDArray[np.float64]
) -> PictureFigures:
    mirrored = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in images]
    both = probable + np.stack([answer.probabilities for answer in classifier(mirrored)])
    share = (both / both.sum(axis=1, keepdims=True)).clip(_LEAST)
    bits = (share * np.log2(share / share.mean(axis=0))).sum(axis=1)
    return PictureFigures("information", "bits", bits, bits, truth=False)
