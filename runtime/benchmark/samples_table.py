"""Every sample of a measurement as CSV."""

import csv
from itertools import repeat
from pathlib import Path

import numpy as np

from edgevision.core.atomic_files import atomic_file
from edgevision.core.printable import csv_row
from edgevision.runtime.benchmark.report import BenchmarkReport


def write_samples(path: Path, report: BenchmarkReport, *, force: bool = True) -> None:
    """One row for each inference: subject, its number, the round, its beginning in seconds, its duration in ms."""
    with atomic_file(path, force=force) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["subject", "index", "round", "start_s", "ms"])
        for subject in report.subjects:
            samples = subject.samples
            rounds = np.repeat(np.arange(len(samples.rounds)), samples.rounds).tolist()
            indices = range(len(samples.ms))
            label = csv_row([subject.label])[0]
            writer.writerows(zip(repeat(label), indices, rounds, samples.start_s, samples.ms))
