"""How like real pictures a generator's samples are, in the features of a classifier.

The figures are those that training gives under the same names. They are no Inception scores, and compare only where
the judge, the pictures and the number of samples are the same.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, InputError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageFolder
from edgevision.metrics.feature_distances import frechet_distance, share_within, spread
from edgevision.runtime.tasks.evaluation import QualityReport
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.generation.reference_pictures import Pixels, ReferencePictures

_BATCH = 32


@record
class SampledClass(Record):
    """The samples that were asked to be ``label``, in percent.

    ``agreement`` is the share that the judge takes for that class; ``variety`` is as :class:`GenerationReport` has it,
    of the class alone. ``None``: the judge does not know the class, or the data does not have it.
    """

    label: str
    samples: int
    agreement: float | None
    variety: float | None


@record
class GenerationReport(QualityReport):
    """Figures of ``samples`` drawn pictures beside ``images`` real ones, in percent.

    ``classifier_frechet`` is the Fréchet distance in the judge's features, and no percentage: 0 is alike.
    ``sample_precision`` is the share of samples within the real pictures' manifold, ``sample_recall`` that of real
    pictures within the samples' (Kynkäänniemi et al. 2019, k = 3). ``sample_variety`` is how far the samples spread in
    the features, as a share of how far the pictures do. ``class_agreement`` is the share of samples that the judge
    takes for the class asked for; without classes, or with some that it does not know, it is ``None``. ``remarks`` say
    what was left out.
    """

    samples: int
    judge: str
    classifier_frechet: float
    sample_precision: float
    sample_recall: float
    sample_variety: float
    class_agreement: float | None
    classes: tuple[SampledClass, ...]
    remarks: tuple[str, ...] = ()

    def headline(self) -> str:
        """How far the samples are from the pictures."""
        return f"classifier_frechet {self.classifier_frechet:.3f}  sample_variety {self.sample_variety:.2f} %"

    def table(self) -> str:
        """The figures, what was left out, and a line for each class."""
        lines = [
            f"{self.samples} samples, seen through {self.judge} (not Inception: this is not FID)",
            f"classifier_frechet  {self.classifier_frechet:8.3f}",
        ]
        shares = ("sample_precision", "sample_recall", "sample_variety", "class_agreement")
        lines += [
            f"{name:<18}  {_percent(getattr(self, name)):>8} %" for name in shares if getattr(self, name) is not None
        ]
        lines += self.remarks
        if self.classes:
            width = max(len("class"), *(len(score.label) for score in self.classes))
            lines += ["", f"{'class':<{width}}  samples  agreement %  variety %"]
            for score in self.classes:
                figures = f"{_percent(score.agreement):>11}  {_percent(score.variety):>9}"
                lines.append(f"{score.label:<{width}}  {score.samples:7d}  {figures}")
        return "\n".join(lines)


def evaluate_generator(
    generator: Generator,
    data: ImageFolder,
    judge: FeatureClassifier,
    *,
    samples: int = 2000,
    seed: int = 0,
    quiet: bool = False,
) -> GenerationReport:
    """Draw ``samples`` pictures, of all classes in turn, and compare them with as many of ``data``, evenly over it.

    What :class:`ReferencePictures` says becomes of those; a texture is drawn in the judge's size.

    Raises:
        InputError: no more samples than there are features, or a negative seed.
        DatasetError: no more readable pictures than that, or all of them alike.
    """
    if samples <= judge.size:
        raise InputError(f"a covariance of {judge.size} features takes more samples than that, not {samples}")
    texture = generator.latent.pixels is not None
    height, width = judge.side if texture else (None, None)
    shape = generator(1, seed=seed, height=height, width=width)[0].pixels.shape
    pictures = ReferencePictures(data, shape, samples, squares=texture, seed=seed)
    _check_number(pictures.total, data, judge)
    batches = generator.batches(samples, seed=seed, height=height, width=width)
    drawn = (pixels for batch in batches for pixels in batch.pixels)
    fake, taken = _features(judge, track(drawn, samples, "sampling", quiet=quiet))
    real, _ = _features(judge, track(pictures, pictures.total, "reading pictures", quiet=quiet))
    _check_number(len(real), data, judge)
    variety = _variety(fake, real)
    if variety is None:
        raise DatasetError(f"the {len(real)} pictures of {str(data.path)!r} look all the same to {judge.name}")

    labels = generator.labels
    asked = np.arange(samples) % max(1, len(labels))
    unknown = [label for label in labels if label not in judge.labels]
    hits = None
    if labels and not unknown:
        hits = taken == np.array([judge.labels.index(label) for label in labels])[asked]
    kinds = np.array(pictures.labels)
    classes = tuple(
        SampledClass(
            label=label,
            samples=int(np.sum(asked == index)),
            agreement=None if hits is None else 100 * float(hits[asked == index].mean()),
            variety=_variety(fake[asked == index], real[kinds == label]),
        )
        for index, label in enumerate(labels[:samples])
    )
    left_out = f"no class agreement: {judge.name} does not know {', '.join(unknown[:5])}"
    return GenerationReport(
        samples=samples,
        images=len(real),
        judge=judge.name,
        classifier_frechet=frechet_distance(real, fake),
        sample_precision=100 * share_within(fake, real),
        sample_recall=100 * share_within(real, fake),
        sample_variety=variety,
        class_agreement=None if hits is None else 100 * float(hits.mean()),
        classes=classes,
        remarks=(left_out,) if unknown else (),
        failures=pictures.failures,
    )


def _check_number(count: int, data: ImageFolder, judge: FeatureClassifier) -> None:
    if count <= judge.size:
        raise DatasetError(
            f"a covariance of {judge.size} features takes more pictures than that, and {str(data.path)!r} gives {count}"
        )


def _features(judge: FeatureClassifier, pictures: Iterable[Pixels]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The features of all ``pictures`` and the class each is taken for, a batch at a time."""
    stream = iter(pictures)
    features, taken = [np.empty((0, judge.size), np.float32)], [np.empty(0, np.int64)]
    while batch := list(islice(stream, _BATCH)):
        seen, predicted = judge(batch)
        features.append(seen)
        taken.append(predicted)
    return np.concatenate(features), np.concatenate(taken)


def _variety(fake: NDArray[np.float32], real: NDArray[np.float32]) -> float | None:
    """The spread of the one as a share of the other's, in percent; ``None`` where that has none."""
    whole = spread(real) if len(real) else 0.0
    return 100 * spread(fake) / whole if whole else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"
