import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.engines.assignment import Assignment, refuse_fallback

MIXED = Assignment.of("npu", [("npu", "Conv")] * 3 + [("cpu", "Shape"), ("cpu", "Gather"), ("cpu", "Shape")])


def test_an_assignment_reads_as_one_line():
    assert str(MIXED) == "npu 3 nodes · cpu 3 nodes (Shape, Gather)"
    assert str(Assignment.of("cpu", [("cpu", "Conv")])) == "cpu 1 node"
    assert str(Assignment.of("npu", [("cpu", "Conv")])) == "npu 0 nodes · cpu 1 node (Conv)"


def test_working_out_sizes_on_the_cpu_is_no_fallback(tmp_path):
    assert MIXED.elsewhere() == {}
    refuse_fallback(MIXED, tmp_path / "m.onnx")


def test_computing_elsewhere_is_refused_with_the_nodes(tmp_path):
    nodes = [("cuda", "Conv"), ("cpu", "Shape"), ("cpu", "Resize"), ("cpu", "Resize"), ("tensorrt", "Conv")]
    strays = Assignment.of("tensorrt", nodes)
    assert strays.elsewhere() == {"cuda": {"Conv": 1}, "cpu": {"Resize": 2}}
    with pytest.raises(DeviceError, match=r"1 Conv would run on cuda; 2 Resize would run on cpu; --allow-fallback"):
        refuse_fallback(strays, tmp_path / "m.onnx")


def test_an_assignment_survives_json():
    assert Assignment.from_dict(MIXED.to_dict()) == MIXED
    assert str(Assignment.from_dict(MIXED.to_dict())) == str(MIXED)
