import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import InputError
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
