import pytest
from quantization_reports import faster, form

from edgevision.exporters.quantization.verdict import unproven
from edgevision.runtime.tasks.loss_bound import LossBound


@pytest.mark.parametrize(("count", "samples"), [(1, "1 sample"), (14, "14 samples")])
@pytest.mark.parametrize(
    ("unit", "budget", "loss", "said"),
    [("points", 0.5, 0.1, "loses 0.1 points on {}"), ("dB", -30.0, -31.0, "leaves 31 dB on {}")],
)
def test_what_is_not_proven_says_on_how_many_samples(count, samples, unit, budget, loss, said):
    few = form("all int8", loss, faster(1.5)).updated(bound=LossBound(pictures=count, error=3.0, unseen=0.1))
    (note,) = unproven((form("as given", 0.0), few), "as given", budget, unit)
    assert f"it {said.format(samples)} and on others perhaps" in note
