"""NAME.report.json."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevision.core.errors import OutputError
from edgevision.exporters.report import ExportReport, read_report
from edgevision.modelfiles.model_file import report_path

Export = Callable[[str, str], tuple[Path, ExportReport]]


@pytest.mark.parametrize(
    ("model", "report"), [("net.onnx", "net.report.json"), ("a/net.v2.xml", "a/net.v2.xml.report.json")]
)
def test_the_report_lies_beside_the_model(model: str, report: str) -> None:
    assert report_path(Path(model)) == Path(report)


def test_a_report_is_read_back_as_it_was(exported: Export, tmp_path: Path) -> None:
    _, report = exported("onnx", "fp32")
    path = tmp_path / "a.report.json"
    report.write(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert next(iter(document)) == "schema_version"
    assert document.pop("schema_version") == 1
    assert ExportReport.from_dict(document) == report
    assert "dög" in path.read_text(encoding="utf-8")


def test_a_report_that_is_called_as_that_of_an_onnx_model_is_read_where_there_is_no_other(
    exported: Export, tmp_path: Path
) -> None:
    _, report = exported("onnx", "fp32")
    report.write(tmp_path / "a.report.json")
    assert read_report(tmp_path / "a.xml").notes == report.notes
    report.updated(notes=("newer",)).write(tmp_path / "a.xml.report.json")
    assert read_report(tmp_path / "a.xml").notes == ("newer",)


def test_an_earlier_report_is_replaced(exported: Export, tmp_path: Path) -> None:
    _, report = exported("onnx", "fp32")
    path = tmp_path / "a.report.json"
    path.write_text("old")
    dataclasses.replace(report, verdict="failed", reason="because").write(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["verdict"], document["reason"]) == ("failed", "because")
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_without_a_folder_is_an_output_error(exported: Export, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        exported("onnx", "fp32")[1].write(tmp_path / "none" / "a.report.json")
