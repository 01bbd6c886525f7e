"""How much worse a model is by its outputs: SQNRs that are known beforehand."""

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.tasks.quality import OutputQuality, Quality, QualityMeasure


def scaling(*factors: float) -> FakeEngine:
    """An engine with an output for each factor by which its input is multiplied."""
    specs = tuple(TensorSpec(name=f"y{index}", shape=("batch", 5)) for index in range(len(factors)))
    x = TensorSpec(name="x", shape=("batch", 5))
    return FakeEngine((x,), specs, lambda feeds: [factor * feeds["x"] for factor in factors])


SAMPLES = [np.random.default_rng(0).standard_normal((6, 5), dtype=np.float32)]


@pytest.mark.parametrize(("factor", "expected"), [(1.1, 20), (0.99, 40), (1.001, 60), (0, 0), (-1, -6.0206)])
def test_an_output_is_measured_by_its_sqnr_and_the_loss_is_its_negative(factor: float, expected: float) -> None:
    measure: QualityMeasure = OutputQuality(scaling(1), SAMPLES)
    assert (measure.metric, measure.unit, measure.budget) == ("sqnr", "dB", -30)
    quality = measure(scaling(factor))
    assert quality.figures == {"sqnr": pytest.approx(expected, abs=1e-3)}
    assert quality.loss == -quality.figures["sqnr"]
    assert (quality.loss <= measure.budget) == (expected >= 30)


def test_of_several_outputs_the_worst_counts() -> None:
    measure = OutputQuality(scaling(1, 10, 0.1), SAMPLES)
    assert measure(scaling(1.001, 10, 0.11)).figures["sqnr"] == pytest.approx(20, abs=1e-3)


def test_equal_outputs_are_infinitely_good() -> None:
    quality = OutputQuality(scaling(1, 2), SAMPLES)(scaling(1, 2))
    assert (quality.figures["sqnr"], quality.loss) == (float("inf"), float("-inf"))


def test_another_number_of_outputs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        OutputQuality(scaling(1, 2), SAMPLES)(scaling(1))


def test_a_quality_goes_to_json_and_back() -> None:
    quality = Quality(figures={"top1": 91.5, "sqnr": 31.25}, loss=0.2)
    assert Quality.from_dict(quality.to_dict()) == quality
