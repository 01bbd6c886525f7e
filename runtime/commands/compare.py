"""The verb ``edgevision compare``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import JsonOption
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import parse_share
from edgevision.core.errors import InputError, MeasurementError
from edgevision.core.printable import shown
from edgevision.runtime.benchmark.comparison import Comparison, Difference, slower_than
from edgevision.runtime.benchmark.comparison import compare as compare_reports
from edgevision.runtime.benchmark.report_files import read_report
from edgevision.runtime.benchmark.statistics import SAME
from edgevision.runtime.benchmark.table import clock_words, columns, ratio_verdict, ratio_words


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A report of bench, what the other is measured by.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Another one.")],
    fail_if_slower: Annotated[
        str | None, typer.Option(help="Exit with 1 where B is slower by more than this, e.g. 5%, beyond its interval.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two reports of bench: how many times as fast B is, with the 95 % interval, and whether it shows anything.

    What one thread took is compared by its CPU time. Other times hold what the machine did meanwhile: where that was
    disturbed, a difference is called not comparable. Models are best compared in one run of bench, which interleaves
    them.

    Examples:
        edgevision compare yesterday.json today.json --fail-if-slower 5%
    """
    allowed = None if fail_if_slower is None else parse_share(fail_if_slower, "--fail-if-slower")
    if allowed is not None and allowed < SAME:
        raise InputError(
            f"--fail-if-slower must be at least {SAME:.0%}, which one model loaded twice may differ by, not"
            f" {fail_if_slower!r}"
        )
    found = compare_reports(read_report(first), read_report(second), (str(first), str(second)))
    if as_json:
        print_json(found.to_dict())
    else:
        echo(_text(shown(found)))
    slower = () if allowed is None else slower_than(found, allowed)
    if slower:
        worst = min(slower, key=lambda subject: subject.speedup.value)
        disturbed = worst.verdict is Difference.NOT_COMPARABLE
        advice = ", on a machine that was disturbed, which may be all of it: measure both in one run" * disturbed
        raise MeasurementError(
            f"{len(slower)} of {len(found.subjects)} slower by more than {fail_if_slower}: {worst.label} is"
            f" {ratio_words(worst.speedup)} times as fast{advice}"
        )


def _text(found: Comparison) -> str:
    rows: list[tuple[str, ...]] = [("", "A, p50 ms", "B, p50 ms", "times as fast as A (95 %)", "by", "")]
    for subject in found.subjects:
        a, b = (f"{p50.value:.3f}" for p50 in (subject.first_p50_ms, subject.second_p50_ms))
        interval = ratio_verdict(subject.speedup)[0]
        ratio = f"{subject.speedup.value:.3f} ({interval})"
        rows.append((subject.label, a, b, ratio, clock_words(subject.clock), subject.verdict))
    lines = columns(rows)
    lines += [f"only in A: {label}" for label in found.only_first]
    lines += [f"only in B: {label}" for label in found.only_second]
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)
