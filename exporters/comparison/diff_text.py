"""A comparison of two models as text: where they part, and the layers that add most to it."""

from edgevision.core.printable import shown
from edgevision.exporters.comparison.diff import DiffReport
from edgevision.exporters.comparison.layer_differences import SAME_DB, first_parting, ranked
from edgevision.exporters.comparison.layer_figures import decibels

_LISTED = 10


def diff_summary(report: DiffReport) -> list[str]:
    """What was compared, in sentences."""
    by_name = sum(layer.by_name for layer in report.layers)
    lines = [f"{report.second} has {len(report.layers)} layers of {report.first}, {by_name} of them by name"]
    alone = [
        f"{len(names)} of {model} {'has' if len(names) == 1 else 'have'} no counterpart"
        for model, names in ((report.first, report.only_first), (report.second, report.only_second))
        if names
    ]
    lines[0] += "".join(f"; {words}" for words in alone)
    parting = first_parting(report.layers)
    if parting is None:
        lines.append(f"they do not part: every layer is within rounding of float32 (SQNR of {SAME_DB:g} dB and more)")
    else:
        what = f"{parting.name} ({parting.operator}, {parting.precision})"
        lines.append(f"they part at {what}: SQNR {decibels(parting.output)}")
        most = ranked(report.layers)[0]
        lines.append(
            f"most is added by {most.name} ({most.operator}, {most.precision}): {decibels(most.own)} by itself"
        )
    return lines


def diff_table(report: DiffReport) -> str:
    """The outputs, the summary, and the layers that add most."""
    report = shown(report)
    parity = report.outputs
    lines = [f"{report.first} and {report.second} on {parity.samples} inputs ({parity.source}):"]
    lines += [
        f"  {output.name}: SQNR {decibels(output)}, largest error {output.max_abs_error:.2g}"
        for output in parity.outputs
    ]
    if parity.agreement is not None:
        lines.append(f"  same answer for {parity.agreement:.2f} % of them")
    lines += diff_summary(report)
    adding = [layer for layer in ranked(report.layers) if layer.adds]
    rows = [("adds by itself", "with all before", "layer", "operator", "precision")]
    rows += [
        (decibels(layer.own), decibels(layer.output), layer.name, layer.operator, layer.precision)
        for layer in adding[:_LISTED]
    ]
    if len(rows) > 1:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += [
            "  ".join(
                cell.rjust(width) if column < 2 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
    return "\n".join(lines)
