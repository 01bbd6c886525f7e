"""How like real pictures the samples of a generator are, in the features of the project's own classifier.

The figures carry the classifier's name: they are no Inception scores and compare only within one feature space. The
Fréchet distance is torchmetrics', which adds up its sums where the features are; ``edgevision evaluate`` has its own.
"""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from edgevision.metrics.feature_distances import share_within
from edgevision.training.classifier_features import ClassifierFeatures


class _Given(nn.Identity):
    """Lets torchmetrics take features that have been computed already."""

    num_features = 64


class SampleQuality:
    """Collects real and generated pictures, float32 (N, C, H, W) in 0..1, and compares them.

    The real ones are remembered: their features do not change between two validations.
    """

    def __init__(self, features: ClassifierFeatures) -> None:
        self._features = features
        self._frechet = FrechetInceptionDistance(feature=_Given(), reset_real_features=False)
        self._frechet.set_dtype(torch.float64)
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []
        self._hits: list[Tensor] = []

    @property
    def real_count(self) -> int:
        """How many real pictures have been added."""
        return sum(map(len, self._real))

    @torch.no_grad()
    def add_real(self, images: Tensor) -> None:
        """Add pictures of the data."""
        pooled = self._features(images).pooled
        self._frechet.update(pooled, real=True)
        self._real.append(pooled)

    @torch.no_grad()
    def add_fake(self, images: Tensor, classes: Tensor | None = None) -> None:
        """Add generated pictures and, of a conditional generator, the class (N,) that each was asked for."""
        features = self._features(images)
        self._frechet.update(features.pooled, real=False)
        self._fake.append(features.pooled)
        if classes is not None:
            self._hits.append(features.logits.argmax(1) == classes)

    def compute(self) -> dict[str, float]:
        """``classifier_frechet``, ``sample_precision``, ``sample_recall`` and, conditional, ``class_agreement`` (%).

        Precision is the share of samples that lie within the real pictures' manifold, recall the share of real
        pictures within the samples' (Kynkäänniemi et al. 2019, k = 3). What was generated is forgotten.
        """
        real, fake = (torch.cat(features).cpu().numpy() for features in (self._real, self._fake))
        try:
            figures = {
                "classifier_frechet": float(self._frechet.compute()),
                "sample_precision": 100 * share_within(fake, real),
                "sample_recall": 100 * share_within(real, fake),
            }
            if self._hits:
                figures["class_agreement"] = 100 * float(torch.cat(self._hits).float().mean())
            return figures
        finally:
            self._frechet.reset()
            self._fake.clear()
            self._hits.clear()
