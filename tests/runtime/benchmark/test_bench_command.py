"""``edgevision bench`` prints a table or one document, writes what it is asked for, and fails where it is told to."""

import csv
import json
import re

import pytest

from edgevision.modelfiles.metadata import TileSpec
from edgevision.runtime.benchmark import measurement
from edgevision.runtime.benchmark.report_files import read_report
from edgevision.runtime.telemetry.findings import Finding, FindingKind

QUICK = ("--device", "cpu", "--seconds", 0.02, "--warmup", 0, "--runs", 20)


def test_one_model_is_shown_as_a_block_of_lines(edgevision, write_colours):
    code, out, err = edgevision("bench", write_colours(), *QUICK)
    assert code == 0
    for word in (
        "p50",
        "p90",
        "p95",
        "p99",
        "standard deviation",
        "outlier",
        "CPUExecutionProvider",
        "steady state NOT reached",
    ):
        assert word in out
    assert "measuring colours.onnx" in err


def test_several_are_shown_as_a_table_with_what_differs(edgevision, write_colours):
    code, out, _ = edgevision("bench", write_colours(), "--threads", 1, "--threads", 2, "--batch", 1, *QUICK)
    lines = out.splitlines()
    assert code == 0
    assert [line.split("  ")[0] for line in lines[1:3]] == ["1 thread", "2 threads"]
    assert "times as fast as the first" in lines[0]
    # What both have in common is said once.
    assert sum("image 1x3x8x8" in line for line in lines) == 1
    assert any(line.startswith("all  ") and "ONNX Runtime" in line and "cpu 2 nodes" in line for line in lines)


def test_what_differs_in_setting_stands_with_each(edgevision, write_colours):
    _, out, _ = edgevision("bench", write_colours(), "--batch", 1, "--batch", 4, *QUICK)
    assert "batch 1     image 1x3x8x8" in out
    assert "batch 4     image 4x3x8x8" in out
    assert out.count("ONNX Runtime") == 1


def test_how_long_it_will_take_is_said_from_the_runs_asked_for(edgevision, write_colours):
    _, _, err = edgevision(
        "bench", write_colours(), "--device", "cpu", "--seconds", 0.01, "--warmup", 0.1, "--runs", 20
    )
    announced = float(re.search(r"measuring colours.onnx for about ([0-9.]+) s", err)[1])
    assert 0.01 <= announced < 5


def test_a_restorer_of_any_size_is_measured_on_its_advised_tile(edgevision, write_restorer):
    model = write_restorer("denoise", tile=TileSpec(size=24, multiple=8))
    code, out, err = edgevision("bench", model, *QUICK, "--json")
    assert code == 0
    assert json.loads(out)["subjects"][0]["shapes"]["image"] == [1, 3, 24, 24]
    assert "its advised tile, 24x24; --shape gives another" in err


def test_the_same_model_twice_is_numbered(edgevision, write_colours):
    model = write_colours()
    _, out, _ = edgevision("bench", model, model, *QUICK)
    assert [line.split("  ")[0] for line in out.splitlines()[1:3]] == ["colours.onnx", "colours.onnx #2"]


def test_json_is_one_document_that_can_be_read_again(edgevision, write_colours, tmp_path):
    code, out, err = edgevision("bench", write_colours(), *QUICK, "--json", "--quiet")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["schema_version"] == 1
    (tmp_path / "printed.json").write_text(out)
    assert len(read_report(tmp_path / "printed.json").subjects[0].samples.ms) >= 20


def test_the_report_is_written_where_it_is_asked_for(edgevision, write_colours, tmp_path):
    path = tmp_path / "report.json"
    assert edgevision("bench", write_colours(), *QUICK, "-o", path)[0] == 0
    assert read_report(path).subjects[0].name == "colours.onnx"
    code, _, err = edgevision("bench", write_colours(), *QUICK, "-o", path)
    assert code == 2
    assert "--force overwrites it" in err
    assert edgevision("bench", write_colours(), *QUICK, "-o", path, "--force")[0] == 0


def test_a_terminal_that_has_gone_away_does_not_cost_the_report(edgevision, write_colours, tmp_path, monkeypatch):
    from edgevision.runtime.benchmark import table

    def gone(report):
        raise BrokenPipeError

    monkeypatch.setattr(table, "report_text", gone)
    assert edgevision("bench", write_colours(), *QUICK, "-o", tmp_path / "report.json")[0] == 1
    assert read_report(tmp_path / "report.json").subjects


def test_a_model_without_a_pipeline_is_refused_before_it_is_measured(edgevision, write_colours):
    code, out, err = edgevision(
        "bench", write_colours(metadata=None), "--device", "cpu", "--seconds", 1000, "--end-to-end"
    )
    assert (code, out) == (2, "")
    assert "leave --end-to-end away" in err


def test_a_precision_that_was_not_reached_is_said(edgevision, write_colours):
    code, _, err = edgevision(
        "bench", write_colours(), "--device", "cpu", "--seconds", 0.1, "--warmup", 0, "--precision", "0.0001%"
    )
    assert code == 0
    assert "was not known to 0.0001 % after 0.1 s" in err


def test_csv_has_a_row_for_every_sample(edgevision, write_colours, tmp_path):
    code, out, _ = edgevision(
        "bench", write_colours(), "--batch", 1, "--batch", 2, *QUICK, "--csv", tmp_path / "samples.csv", "--json"
    )
    assert code == 0
    rows = list(csv.DictReader((tmp_path / "samples.csv").read_text().splitlines()))
    for number, subject in enumerate(json.loads(out)["subjects"]):
        own = [row for row in rows if row["subject"] == f"colours.onnx, cpu, all threads, batch {number + 1}"]
        assert [float(row["ms"]) for row in own] == subject["samples"]["ms"]
        assert [float(row["start_s"]) for row in own] == subject["samples"]["start_s"]
        assert [int(row["index"]) for row in own] == list(range(len(own)))
        assert int(own[-1]["round"]) == len(subject["samples"]["rounds"]) - 1


def test_an_unreliable_run_says_so_and_fails_where_it_is_to_be_strict(edgevision, write_colours, tmp_path, monkeypatch):
    from edgevision.runtime.telemetry import sampler

    finding = Finding(kind=FindingKind.THROTTLED, message="the board reported under-voltage", start_s=0.0)
    monkeypatch.setattr(sampler, "find", lambda *_: (finding,))
    code, out, _ = edgevision("bench", write_colours(), *QUICK)
    assert code == 0
    assert "UNRELIABLE  throttled: the board reported under-voltage" in out
    code, out, err = edgevision("bench", write_colours(), *QUICK, "--strict", "-o", tmp_path / "report.json")
    assert code == 1
    assert "--strict: the run is unreliable, throttled: the board reported under-voltage" in err
    assert read_report(tmp_path / "report.json").board.findings == (finding,)


def test_a_run_that_is_in_order_is_not_refused(edgevision, write_colours, monkeypatch):
    from edgevision.runtime.telemetry import sampler

    monkeypatch.setattr(sampler, "find", lambda *_: ())
    code, out, _ = edgevision("bench", write_colours(), *QUICK, "--strict")
    assert code == 0
    assert "UNRELIABLE" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--precision", "2 percent"), "--precision is a share"),
        (("--precision", "0%"), "--precision is a share"),
        (("--precision", ""), "--precision is a share"),
        (("--shape", ""), "a shape is positive numbers"),
        (("--shape", "2x3x8x8", "--batch", 1, "--batch", 4), "leave --batch out"),
        (("--picture", "nowhere.png"), "'nowhere.png' cannot be read"),
        (("-o", "same.out", "--csv", "./same.out"), "given for two outputs"),
        (("--seconds", "0"), "seconds must be positive"),
        (("-o", "no/such/folder.json"), "does not exist"),
        (("--device", "abacus"), "no device 'abacus'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(edgevision, write_colours, arguments, message):
    code, out, err = edgevision("bench", write_colours(), *arguments)
    assert code in (2, 3)
    assert message in err
    assert out == ""


def test_an_input_of_more_than_a_gigabyte_is_refused_with_the_bound(edgevision, write_colours, monkeypatch):
    monkeypatch.setattr("edgevision.runtime.benchmark.random_inputs._MOST_VALUES", 2**16)
    code, out, err = edgevision("bench", write_colours(), "--batch", 4096)
    assert (code, out) == (2, "")
    assert f"has more than {2**16} values; give a smaller --batch" in err


def test_without_a_device_both_engines_stand_beside_each_other(edgevision, write_colours, need):
    need("openvino")
    code, out, err = edgevision("bench", write_colours(), "--threads", 1, *QUICK[2:])
    assert code == 0, err
    rows = [line.split()[0] for line in out.splitlines()[1:3]]
    assert rows == ["ort:cpu", "openvino:cpu"]
    document = json.loads(edgevision("bench", write_colours(), *QUICK[2:], "--json")[1])
    assert [subject["engine"].split()[0] for subject in document["subjects"]] == ["ONNX", "OpenVINO"]
    assert "devices" not in document["settings"]


def test_an_engine_that_nobody_asked_for_may_fail(edgevision, write_colours, monkeypatch):
    monkeypatch.setattr(measurement, "cpu_engines", lambda path: ("ort:cpu", "qnn:npu:9"))
    code, out, err = edgevision("bench", write_colours(), *QUICK[2:])
    assert (code, "colours.onnx is not measured on qnn:npu:9: " in err) == (0, True)
    assert "ran on      ort:cpu" in out
    monkeypatch.setattr(measurement, "cpu_engines", lambda path: ("qnn:npu:9",))
    assert edgevision("bench", write_colours(), *QUICK[2:])[0] == 3
