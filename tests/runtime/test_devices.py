import importlib.util

import pytest

from edgevision.machine import Machine, peak_memory_mb
from edgevision.modelfile import ModelFormat
from edgevision.runtime import survey as surveying
from edgevision.runtime.devices import DOORS


def test_the_survey_names_every_device_of_the_table_once():
    reports = surveying.survey()
    assert len(reports) == sum(len(doors) for doors in DOORS.values())
    assert len({(report.device, report.models) for report in reports}) == len(reports)


def test_what_is_installed_here_is_available_with_its_version():
    import onnxruntime

    cpu = next(report for report in surveying.survey() if (report.device, report.models) == ("cpu", ".onnx"))
    assert cpu.available
    assert cpu.version == onnxruntime.__version__
    assert cpu.reason is None
    assert cpu.remedy is None


def test_what_is_missing_has_a_reason_and_a_remedy():
    for report in surveying.survey():
        if not report.available:
            assert report.reason
            assert "pip" in (report.remedy or "")


def test_an_engine_that_is_not_installed_says_so(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(surveying, "find_spec", lambda name: None if name == "openvino" else found(name))
    report = next(report for report in surveying.survey() if report.models == ".xml")
    assert not report.available
    assert report.reason == "openvino is not installed"
    assert report.remedy == "pip install 'edgevision[openvino]'"


def test_a_broken_engine_is_reported_and_does_not_end_the_survey(monkeypatch):
    def broken() -> tuple[str, list[str]]:
        raise ImportError("libfoo.so: cannot open shared object file")

    monkeypatch.setitem(surveying._ENGINES, "onnxruntime", broken)
    reports = surveying.survey()
    assert all("libfoo" in (r.reason or "") for r in reports if r.models == ".onnx")
    assert any(r.available for r in reports if r.models == ".xml")


def test_every_format_has_a_cpu():
    assert all("cpu" in DOORS[kind] for kind in (ModelFormat.ONNX, ModelFormat.OPENVINO))


def test_the_machine_knows_itself():
    machine = Machine.this()
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_gb > 0.1
    assert Machine.from_dict(machine.to_dict()) == machine


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory_mb()
    if before is None:
        pytest.skip("this system does not report it")
    held = bytearray(int((before + 64) * 2**20))
    held[::4096] = b"x" * len(held[::4096])
    after = peak_memory_mb()
    assert after is not None
    assert after >= before + 32
