"""How like the pictures that were there the translated ones are: pair by pair, and all of them together."""

from dataclasses import replace
from typing import Any

import numpy as np

from edgevision.core.records import record
from edgevision.data.picture_pairs import halves
from edgevision.data.point_annotations import held_out_by
from edgevision.imaging.images import to_array
from edgevision.imaging.samples import Array, in_8_bits
from edgevision.metrics.feature_distances import frechet_distance
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
from edgevision.runtime.tasks.restoration.evaluation import RestorationReport, evaluate_restorer
from edgevision.runtime.tasks.translation.spec import TranslationSpec
from edgevision.runtime.tasks.translation.translator import Translator


@record
class TranslationReport(RestorationReport):
    """As :class:`RestorationReport`, where ``before`` is of the given picture, as if nothing had been done to it.

    ``classifier_frechet`` is the Fréchet distance between the translated pictures and those that were there, in the
    features of the ``judge``; ``None`` for no more pairs than it has features.
    """

    judge: str
    classifier_frechet: float | None

    def headline(self) -> str:
        """The means and the distance."""
        far = "" if self.classifier_frechet is None else f"  classifier_frechet {self.classifier_frechet:.3f}"
        return super().headline() + far

    def table(self) -> str:
        """The means before and after, and the distance."""
        if self.classifier_frechet is None:
            return f"{super().table()}\nno classifier_frechet: the features of {self.judge} take more pairs"
        return f"{super().table()}\nclassifier_frechet  {self.classifier_frechet:.3f}, seen through {self.judge}"


def evaluate_translator(
    translator: Translator, data: Any, judge: FeatureClassifier, options: EvaluationOptions
) -> TranslationReport:
    """Translate the left pictures of all pairs of ``data``, or of the tenth held out, and compare with the right ones.

    Raises:
        DatasetError: not one readable pair.
    """
    if options.held_out:
        data = data.only(held_out_by(translator.metadata.spec_as(TranslationSpec).groups))
    places = {name: place for place, name in enumerate(data.names)}
    features: list[tuple[Array, Array]] = []

    def show(name: str, made: Array) -> None:
        wanted = halves(to_array(data.image(places[name])))[1]
        seen, _ = judge([in_8_bits(made), wanted])
        features.append((seen[:1], seen[1:]))

    report = evaluate_restorer(translator, data, replace(options, held_out=False), show=show)
    distance = None
    if len(features) > judge.size:
        distance = frechet_distance(*(np.concatenate(side) for side in zip(*features, strict=True)))
    return TranslationReport(
        images=report.images,
        damage=report.damage,
        figures=report.figures,
        before=report.before,
        pictures=report.pictures,
        failures=report.failures,
        judge=judge.name,
        classifier_frechet=distance,
    )
