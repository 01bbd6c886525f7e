import re

import pytest

from edgevision.runtime.devices import listing
from edgevision.runtime.devices.backends import BACKENDS


def test_every_backend_of_the_table_is_listed_once():
    reports = listing.list_devices()
    assert [report.exact for report in reports] == [backend.name for backend in BACKENDS]


def test_what_is_installed_here_is_available_with_its_version():
    import onnxruntime

    cpu = next(report for report in listing.list_devices() if report.exact == "ort:cpu")
    assert cpu.available
    assert cpu.version == onnxruntime.__version__
    assert cpu.reason is None
    assert cpu.remedy is None
    assert not cpu.simulated
    assert cpu.models == (".onnx",)


def test_what_is_missing_has_a_reason_and_a_remedy():
    for report in listing.list_devices():
        if not report.available:
            assert report.reason
            assert "pip" in (report.remedy or "")


def test_a_broken_engine_is_reported_and_does_not_end_the_list(monkeypatch, need):
    need("openvino")
    from edgevision.runtime.engines import onnx_runtime_library

    def broken() -> None:
        raise ImportError("libfoo.so: cannot open shared object file")

    monkeypatch.setattr(onnx_runtime_library, "import_onnx_runtime", broken)
    reports = {report.exact: report for report in listing.list_devices()}
    assert "libfoo" in (reports["ort:cpu"].reason or "")
    assert reports["openvino:cpu"].available


def test_a_simulator_is_available_and_called_one(monkeypatch):
    monkeypatch.setattr(
        listing, "unavailable_reason", lambda backend, index=0, *, simulators=False: None if simulators else "no chip"
    )
    assert all(report.available and report.simulated for report in listing.list_devices())


class Installed:
    def __init__(self, name: str) -> None:
        self.metadata = {"Name": name}


@pytest.mark.parametrize("names", [["onnxruntime"], ["onnxruntime-gpu", "numpy"], []])
def test_one_onnx_runtime_is_no_conflict(monkeypatch, names):
    monkeypatch.setattr(listing, "distributions", lambda: map(Installed, names))
    assert listing.conflicts() == ()


def test_two_onnx_runtimes_are_a_conflict_with_the_way_to_mend_it(monkeypatch):
    monkeypatch.setattr(listing, "distributions", lambda: map(Installed, ["numpy", "onnxruntime", "onnxruntime_gpu"]))
    (problem,) = listing.conflicts()
    assert "break each other" in problem
    assert re.search(r"pip uninstall onnxruntime onnxruntime-gpu; .*pip install onnxruntime-gpu", problem)
