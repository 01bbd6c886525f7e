"""What the models of a run are called."""

from pathlib import Path

from edgevision.runtime.benchmark.names import told_apart


def test_a_file_is_called_by_its_name():
    assert told_apart([Path("models/a.onnx"), Path("b.onnx")]) == ["a.onnx", "b.onnx"]


def test_files_of_one_name_are_told_apart_by_their_folders():
    paths = [Path("v1/fast/model.onnx"), Path("v2/fast/model.onnx"), Path("v2/slow/model.onnx"), Path("other.onnx")]
    assert told_apart(paths) == ["v1/fast/model.onnx", "v2/fast/model.onnx", "slow/model.onnx", "other.onnx"]


def test_the_same_file_twice_has_numbers():
    assert told_apart([Path("a.onnx"), Path("./a.onnx"), Path("a.onnx")]) == ["a.onnx", "a.onnx #2", "a.onnx #3"]
