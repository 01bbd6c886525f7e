"""On how many samples forms are judged: as many as there is time for."""

from collections.abc import Callable, Iterator, Sequence

from edgevision.exporters.quantization.batches import spread_order
from edgevision.exporters.quantization.calibration_pictures import FEWEST, spread
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.runtime.tasks.quality import QualityMeasure

# The float model is judged on as many first, to see how many there is time for.
_TRIED = 8
# Of the time to judge it, for reading what it is judged on.
_SHARE_OF_READING = 0.4


def in_time(indices: Sequence[int], budget: TimeBudget) -> Iterator[int]:
    """``indices`` of pictures to read, spread over all of them however few there is time for."""
    late = budget.late_after(_SHARE_OF_READING * budget.seconds_left)
    for count, place in enumerate(spread_order(len(indices), 0)):
        if count >= _TRIED and late():
            budget.left_out.append(f"{len(indices) - count} of {len(indices)} pictures to judge on")
            return
        yield indices[place]


def judge_in_time(
    judged_on: Callable[[Sequence[int]], QualityMeasure], count: int, budget: TimeBudget
) -> QualityMeasure:
    """What judges on as many of ``count`` samples, given by their places, as the stage has time to judge once.

    A few are tried first: how long the float model takes is how long each of its forms will.
    """
    measures: list[QualityMeasure] = []
    tried = spread(range(count), min(_TRIED, max(FEWEST, count // 4)))
    seconds = budget.seconds_for(lambda: measures.append(judged_on(tried)))
    possible = int(min(count, len(tried) * budget.seconds_left / max(seconds, 1e-9)))
    if possible <= len(tried):
        chosen = tried
    else:
        chosen = spread(range(count), possible)
        measures.append(judged_on(chosen))
    if len(chosen) < count:
        budget.left_out.append(f"{count - len(chosen)} of {count} samples to judge on")
    return measures[-1]
