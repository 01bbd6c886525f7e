"""Subjects measured in turns, so that whatever else the machine does hits all alike.

In every round each subject runs a short block of inferences, and each round begins with another subject. A block lasts
some 50 ms: long enough that what the subject before left in the caches and in its threads is a small part of it. Where
there is more than one subject, a block begins with inferences that are not measured, one or 5 ms of them, which bring
the caches back: they belong to the warm-up of the block, no sample of it is ever dropped.
"""

import logging
import time
from collections.abc import Sequence

import numpy as np

from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import percentile
from edgevision.runtime.benchmark.subject import Subject

_log = logging.getLogger(__name__)

_BLOCK_NS = 50_000_000
_ROUNDS = 40
_RETURN_NS = 5_000_000
# A slow subject is not given up to the unmeasured inference before each of its blocks.
_FEWEST_IN_TURN = 4
# Before so many rounds a narrow interval is an accident.
_FEWEST_ROUNDS = 10


def measure_in_turns(subjects: Sequence[Subject], settings: Settings) -> None:
    """Measure all until ``settings`` are met; the samples are the subjects'."""
    alone = len(subjects) == 1
    blocks = [_block_runs(subject, settings, alone=alone) for subject in subjects]
    look = _FEWEST_ROUNDS
    while not all(_is_enough(subject, settings) for subject in subjects):
        done = len(subjects[0].rounds)
        if settings.precision is not None and done >= look:
            if all(_is_precise(subject, settings.precision) for subject in subjects):
                return
            look = done + max(1, done // 5)
        for turn in range(len(subjects)):
            index = (done + turn) % len(subjects)
            if not alone:
                _return_to(subjects[index])
            subjects[index].measure(blocks[index])
    if settings.precision is not None:
        for subject in subjects:
            if not _is_precise(subject, settings.precision):
                _log.warning(
                    "the median of %s was not known to %.3g %% after %g s",
                    subject.name,
                    100 * settings.precision,
                    settings.seconds,
                )


def _block_runs(subject: Subject, settings: Settings, *, alone: bool) -> int:
    took = []
    for _ in range(_FEWEST_IN_TURN):
        start = time.perf_counter_ns()
        subject.run()
        took.append(time.perf_counter_ns() - start)
    wanted = min(_BLOCK_NS, int(settings.seconds * 1e9) // _ROUNDS)
    return max(1 if alone else _FEWEST_IN_TURN, round(wanted / max(1, min(took))))


def _return_to(subject: Subject) -> None:
    end = time.perf_counter_ns() + _RETURN_NS
    while True:
        subject.run()
        if time.perf_counter_ns() >= end:
            return


def _is_enough(subject: Subject, settings: Settings) -> bool:
    enough_runs = settings.precision is not None or len(subject.durations) >= settings.runs
    return enough_runs and subject.measured_ns >= settings.seconds * 1e9


def _is_precise(subject: Subject, precision: float) -> bool:
    return 2 * percentile(np.array(subject.durations), 0.5).relative_width < precision
