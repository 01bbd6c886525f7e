import re

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import InputError, ModelFileError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.raw_model import Outputs, RawModel

IMAGE = TensorSpec(name="image", shape=("batch", 3, "height", "width"))


def raw_model(**tile):
    metadata = ModelMetadata(task="other", name="tiny", image=ImageSpec(), tile=TileSpec(**tile))
    return RawModel(FakeEngine([IMAGE], [IMAGE], lambda inputs: [inputs["image"]]), metadata)


def test_sides_that_the_network_does_not_take_are_refused_before_it_runs():
    model = raw_model(multiple=8, minimum=20)
    message = "'tiny' takes pictures whose sides are multiples of 8, at least 24, not 451x16; .* as to 456x24"
    with pytest.raises(InputError, match=message):
        model(np.zeros((16, 451, 3), np.uint8))
    with pytest.raises(InputError, match=message):
        model(image=np.zeros((1, 3, 16, 451), np.float32))
    assert model(np.zeros((24, 456, 3), np.uint8))["image"].shape == (1, 3, 24, 456)


def test_the_only_output_is_an_array_as_numpy_asks_for_it():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    outputs = Outputs({"y": values})
    assert np.shares_memory(np.asarray(outputs), values)
    assert outputs.__array__() is values
    assert np.asarray(outputs, np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(outputs, copy=True), values)
    with pytest.raises(ValueError, match="without a copy"):
        outputs.__array__(np.float64, copy=False)
    with pytest.raises(ValueError, match="there are 2 outputs, take one by name: y, z"):
        np.asarray(Outputs({"y": values, "z": values}))


def identity(dtype, *names, output="y"):
    inputs = [TensorSpec(name=name, shape=("n",), dtype=dtype) for name in names]
    outputs = [TensorSpec(name=output, shape=("n",), dtype=dtype)]
    engine = FakeEngine(inputs, outputs, lambda arrays: [*arrays.values()] or [np.zeros(1, dtype)])
    return RawModel(engine, ModelMetadata(task="other", name="tiny"))


@pytest.mark.parametrize(
    ("dtype", "given", "value"),
    [("int8", [1, 300], 300), ("int32", [2**40], 2**40), ("float32", [1e300], 1e300), ("float16", [70000], 70000)],
)
def test_a_value_that_the_type_of_the_input_cannot_hold_is_refused(dtype, given, value):
    model = identity(dtype, "x")
    with pytest.raises(InputError, match=re.escape(f"is {dtype}, which cannot hold {value} of")):
        model(x=np.array(given))
    assert model(x=np.array([1, 100]))["y"].tolist() == [1, 100]


def test_what_is_not_finite_is_no_value_that_got_lost():
    given = np.array([np.inf, np.nan, 0.1])
    np.testing.assert_array_equal(identity("float16", "x")(x=given)["y"], given.astype(np.float16))


def test_a_model_without_inputs_takes_nothing():
    model = identity("float32")
    assert model({})["y"].tolist() == [0]
    with pytest.raises(InputError, match="'tiny' takes nothing, and was given x"):
        model(x=np.zeros(1))


@pytest.mark.parametrize("dtype", ["tensor(bfloat16)", "tensor(string)", "seq(tensor(float))", "unknown"])
def test_what_is_no_array_of_numbers_is_refused_before_anything_runs(dtype):
    with pytest.raises(ModelFileError, match=re.escape(f"input 'x' of 'tiny' is {dtype}")):
        identity(dtype, "x")


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args", "a/b", "y.npy"])
def test_outputs_are_saved_whatever_they_are_called(tmp_path, name):
    path = tmp_path / "outputs.npz"
    Outputs({name: np.arange(3.0)}).save(path)
    with np.load(path, allow_pickle=False) as arrays:
        assert {found: arrays[found].tolist() for found in arrays.files} == {name: [0, 1, 2]}
