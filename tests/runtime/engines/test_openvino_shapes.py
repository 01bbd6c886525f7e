"""What is compiled for the shapes that come again."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevision.core.errors import DeviceError, InputError
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines import openvino_engine
from edgevision.runtime.engines.openvino_engine import OpenVinoEngine
from edgevision.runtime.engines.openvino_request import OpenVinoRequest

pytest.importorskip("openvino")


@pytest.fixture
def model(tmp_path):
    """Two convolutions with an instance normalisation in primitives between them, for pictures of any size."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["c", "axes"], ["mean"]),
        helper.make_node("Sub", ["c", "mean"], ["centred"]),
        helper.make_node("Relu", ["centred"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["out"], pads=[1, 1, 1, 1]),
    ]
    constants = {
        "w1": random.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "w2": random.normal(0, 0.3, (3, 8, 3, 3)).astype(np.float32),
        "axes": np.array([2, 3]),
    }
    sides = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "any_size",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, sides)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = tmp_path / "any_size.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture(autouse=True)
def in_a_row(monkeypatch):
    """So that few runs tell."""
    monkeypatch.setattr(openvino_engine, "_IN_A_ROW", 2)


@pytest.fixture
def compiled_for(monkeypatch):
    """The shapes that models were compiled for after they were opened."""
    shapes = []
    specialised = OpenVinoEngine._specialised

    def noted(self, asked):
        shapes.append(asked["image"])
        return specialised(self, asked)

    monkeypatch.setattr(OpenVinoEngine, "_specialised", noted)
    return shapes


def pictures(*sides):
    random = np.random.default_rng(1)
    return [random.random((1, 3, side, side), np.float32) for side in sides]


def test_shapes_that_come_twice_in_a_row_are_compiled_for_once(model, compiled_for):
    with open_engine(model, "openvino:cpu") as engine, open_engine(model) as expected:
        for picture in pictures(16, 24, 16, 16, 16, 24, 16, 24, 24):
            (found,), (right,) = engine.run({"image": picture}), expected.run({"image": picture})
            assert found.shape == right.shape
            assert sqnr_db(right, found) > 80
    assert compiled_for == [(1, 3, 16, 16), (1, 3, 24, 24)]


def test_a_few_pictures_do_not_wait_for_it(model, monkeypatch):
    monkeypatch.undo()
    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        for run in range(1, 6):
            engine.run({"image": picture})
            assert len(engine._fixed) == (run >= 4)


def test_only_the_first_few_shapes_are_compiled_for(model, compiled_for):
    with open_engine(model, "openvino:cpu") as engine:
        for side in (16, 20, 24, 28, 16):
            for picture in pictures(side, side):
                engine.run({"image": picture})
    assert [shape[-1] for shape in compiled_for] == [16, 20, 24]


def test_a_file_that_has_changed_is_not_compiled_any_more(model, compiled_for):
    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        before = engine.run({"image": picture})[0]
        model.write_bytes(b"another file")
        for _ in range(3):
            assert np.array_equal(engine.run({"image": picture})[0], before)
    assert len(compiled_for) == 1


def test_a_model_of_fixed_shapes_is_compiled_once(model, compiled_for):
    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu", shapes={"image": picture.shape}) as engine:
        for _ in range(3):
            engine.run({"image": picture})
    assert not compiled_for


@pytest.mark.parametrize(
    ("seconds", "wrong", "taken"), [((2.0, 1.0), 0.0, True), ((2.0, 1.0), 1.0, False), ((1.0, 2.0), 0.0, False)]
)
def test_it_is_taken_where_it_is_faster_and_gives_the_same(model, monkeypatch, seconds, wrong, taken):
    fixed = []

    class Fixed(OpenVinoRequest):
        """What is compiled for known shapes."""

        def run(self, inputs, outputs):
            fixed.append(1)
            return [output * (1 - wrong) for output in super().run(inputs, outputs)]

    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        monkeypatch.setattr(openvino_engine, "OpenVinoRequest", Fixed)
        monkeypatch.setattr(openvino_engine, "_seconds", lambda request, *_: seconds[isinstance(request, Fixed)])
        before = engine.run({"image": picture})[0]
        engine.run({"image": picture})
        fixed.clear()
        assert sqnr_db(before, engine.run({"image": picture})[0]) > 80
        assert bool(fixed) == taken


def test_whoever_waits_long_for_a_picture_waits_for_a_few_more_at_most(model, monkeypatch):
    run, runs = OpenVinoRequest.run, []
    monkeypatch.setattr(OpenVinoRequest, "run", lambda *given: runs.append(1) or run(*given))
    monkeypatch.setattr(openvino_engine, "_COMPARED_SECONDS", 1e-9)
    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        for _ in range(3):
            engine.run({"image": picture})
    assert len(runs) == 3 + 4


@pytest.mark.parametrize("changed", [lambda output: output[..., 1:], lambda output: output * np.inf])
def test_answers_that_cannot_be_compared_do_not_agree(model, monkeypatch, changed):
    class Fixed(OpenVinoRequest):
        def run(self, inputs, outputs):
            return [changed(output) for output in super().run(inputs, outputs)]

    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        monkeypatch.setattr(openvino_engine, "OpenVinoRequest", Fixed)
        monkeypatch.setattr(openvino_engine, "_seconds", lambda request, *_: -isinstance(request, Fixed))
        (right,) = engine.run({"image": picture})
        for _ in range(2):
            assert np.array_equal(engine.run({"image": picture})[0], right)


def test_what_the_model_refuses_is_not_compiled_for(model, compiled_for):
    with open_engine(model, "openvino:cpu") as engine:
        for refused in ((1, 4, 16, 16), (3, 16, 16)):
            for _ in range(3):
                with pytest.raises(InputError, match="does not take this input"):
                    engine.run({"image": np.zeros(refused, np.float32)})
        for side in (16, 20, 24):
            for picture in pictures(side, side):
                engine.run({"image": picture, "of no input": picture[0, 0]})
    assert [shape[-1] for shape in compiled_for] == [16, 20, 24]


def test_a_picture_that_may_not_be_written_to_is_read(model):
    (picture,) = pictures(16)
    with open_engine(model, "openvino:cpu") as engine:
        (right,) = engine.run({"image": picture})
        picture.flags.writeable = False
        assert sqnr_db(right, engine.run({"image": picture[::]})[0]) > 80


def test_an_engine_that_is_closed_says_so(model):
    engine = open_engine(model, "openvino:cpu")
    engine.close()
    with pytest.raises(DeviceError, match="the engine is closed"):
        engine.run({"image": pictures(16)[0]})
