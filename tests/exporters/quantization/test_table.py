"""The verdict as text."""

from typing import Any

import pytest
from quantization_reports import faster, form, quantization_report

from edgevision.exporters.quantization.report import NodePrecision, OperatorPrecision, Outcome, QuantizationReport
from edgevision.exporters.quantization.table import form_cells, form_columns, verdict_table
from edgevision.modelfiles.judged_loss import JudgedLoss
from edgevision.runtime.benchmark.timing import Clock
from edgevision.runtime.tasks.loss_bound import LossBound

NODES = tuple(
    NodePrecision(name=name, operator="Conv", precision=OperatorPrecision(precision), why="for a reason")
    for name, precision in (("a", "int8"), ("b", "float"), ("c", "float, weights stored in int8"))
)


def report(**changes: Any) -> QuantizationReport:
    return quantization_report(**({"nodes": NODES} | changes))


def test_every_form_has_a_row_and_the_last_line_says_what_was_written() -> None:
    lines = verdict_table(report()).splitlines()
    assert [cell.strip() for cell in lines[0].split("  ") if cell] == [
        "form",
        "run in",
        "top1",
        "loss, points",
        "ms (95 %)",
        "times as fast (95 %)",
        "MB",
    ]
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:3]]
    assert cells[0] == ["as given", "ONNX Runtime", "91.50", "+0", "3 (2.9 to 3.1)", "1", "1.235"]
    # A star stands before what was written.
    assert cells[1] == ["*", "int8", "ONNX Runtime", "91.25", "+0.25", "2 (1.9 to 2.1)", "1.50 (1.48 to 1.53)", "1.235"]
    assert lines[3] == (
        "1 of 3 operators compute in int8 for x86-avx2; judged by top1, loss at most 0.3 points; 256 pictures of data"
    )
    assert lines[4] == "verdict: int8: int8 is 1.50 times as fast as the fastest float form"
    assert len(lines) == 5


def test_how_many_operators_have_16_bits_is_said_where_there_are_any() -> None:
    wide = NodePrecision(name="d", operator="Conv", precision=OperatorPrecision.A16W8, why="for a reason")
    line = verdict_table(report(nodes=(*NODES, wide, wide), target="qualcomm-htp")).splitlines()[3]
    assert line.startswith("3 of 5 operators compute in int8, 2 of them with 16-bit activations, for qualcomm-htp; ")


def test_the_size_that_the_times_hold_for_is_said() -> None:
    found = report(timed_shapes=((1, 3, 128, 96), (1, 1, 128, 96)))
    line = verdict_table(found).splitlines()[3]
    assert line.endswith("; 256 pictures of data; timed on 1x3x128x96 and 1x1x128x96")


def test_columns_stand_under_each_other() -> None:
    head, *rows = verdict_table(report()).splitlines()[:3]
    for column in ("form", "top1", "loss, points", "ms", "times as fast", "MB"):
        place = head.index(column)
        assert all(row[place - 1] == " " != row[place] for row in rows)
    assert not any(line.endswith(" ") for line in (head, *rows))


def test_notes_are_said() -> None:
    text = verdict_table(report(notes=("3 pictures were left out", "judged on few")))
    assert "\nnote: 3 pictures were left out\nnote: judged on few\nverdict: " in text


def test_an_sqnr_says_it_all_and_has_no_column_of_losses() -> None:
    forms = (form("as given", float("-inf"), sqnr=float("inf")), form("int8", -33.5, faster(1.25), sqnr=33.5))
    found = report(metric="sqnr", unit="dB", budget=-30.0, forms=forms)
    assert form_columns(found) == ("form", "run in", "sqnr", "ms (95 %)", "times as fast (95 %)", "MB")
    assert form_columns(found.updated(clock=Clock.CPU))[3] == "CPU ms (95 %)"
    assert form_cells(forms[0], found) == ("as given", "ONNX Runtime", "exact", "3 (2.9 to 3.1)", "1", "1.235")
    assert form_cells(forms[1], found) == (
        "int8",
        "ONNX Runtime",
        "33.50",
        "2.4 (2.3 to 2.5)",
        "1.25 (1.23 to 1.28)",
        "1.235",
    )
    assert "judged by sqnr, loss at most what leaves 30 dB; " in verdict_table(found)


def test_a_psnr_has_its_loss_in_db() -> None:
    forms = (form("as given", 0, psnr=31.25), form("int8", -0.125, faster(1.25), psnr=31.375))
    found = report(metric="psnr", unit="dB", budget=0.1, forms=forms)
    assert form_columns(found)[3] == "loss, dB"
    assert form_cells(forms[1], found)[2:4] == ("31.38", "-0.125")
    assert "loss at most 0.1 dB; " in verdict_table(found)


def test_where_nothing_was_timed_no_time_is_given() -> None:
    losses = {"as given": 0, "all int8": 0.5, "int8": 0.25}
    forms = tuple(form(name, loss, top1=91.5 - loss).updated(latency_ms=None) for name, loss in losses.items())
    found = report(measured=False, expected_speedup=5.0, forms=forms)
    for row in forms:
        assert form_cells(row, found)[4:] == ("", "not measured", "1.235")
    assert len(verdict_table(found).splitlines()) == 6


@pytest.mark.parametrize("nodes", [(), NODES[1:], NODES[:1]])
def test_operators_are_counted(nodes: tuple[NodePrecision, ...]) -> None:
    int8 = sum(node.precision == "int8" for node in nodes)
    assert f"\n{int8} of {len(nodes)} operators compute in int8 for " in verdict_table(report(nodes=nodes))


def test_a_report_goes_to_json_and_back() -> None:
    whole = report(notes=("one",), expected_speedup=1.6)
    assert QuantizationReport.from_dict(whole.to_dict()) == whole


def test_what_is_within_the_budget_on_few_pictures_only_is_said_to_be_not_proven() -> None:
    few = form("int8", 0.1, faster(1.5), top1=91.4).updated(bound=LossBound(pictures=40, error=0.1, unseen=0.1))
    found = report(forms=(form("as given", 0, top1=91.5), few)).with_caveat()
    judged = found.judged_loss
    assert judged is not None
    assert judged.proven is False
    assert judged.pictures_needed is not None
    assert judged.pictures_needed > 40
    said = f"held by the estimate, not proven: 0.1 points on 40 samples, on others perhaps {judged.at_most:.3g} lost"
    assert said in verdict_table(found).splitlines()[-1]
    assert f"about {judged.pictures_needed} like them would show it" in found.verdict
    assert JudgedLoss.from_dict(judged.to_dict()) == judged


def test_what_is_proven_has_no_caveat_and_float32_no_loss() -> None:
    int8 = form("int8", 0.25, faster(1.5), top1=91.25).updated(bound=LossBound(pictures=500, error=0.01))
    sure = report(forms=(form("as given", 0, top1=91.5), int8))
    assert sure.judged_loss is not None
    assert sure.judged_loss.proven
    assert sure.with_caveat() == sure
    assert report(outcome=Outcome.FLOAT).judged_loss is None
