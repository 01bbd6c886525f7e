"""What the models of a run are called."""

from pathlib import Path

from edgevision.runtime.benchmark.subject import distinct_names


def test_a_file_is_called_by_its_name():
    assert distinct_names([Path("models/a.onnx"), Path("b.onnx")]) == ["a.onnx", "b.onnx"]


def test_files_of_one_name_are_named_with_their_folders():
    paths = [Path("v1/fast/model.onnx"), Path("v2/fast/model.onnx"), Path("v2/slow/model.onnx"), Path("other.onnx")]
    assert distinct_names(paths) == ["v1/fast/model.onnx", "v2/fast/model.onnx", "slow/model.onnx", "other.onnx"]


def test_the_same_file_twice_has_numbers():
    assert distinct_names([Path("a.onnx"), Path("./a.onnx"), Path("a.onnx")]) == ["a.onnx", "a.onnx #2", "a.onnx #3"]
