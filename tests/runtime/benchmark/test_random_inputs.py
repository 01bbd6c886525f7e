import numpy as np
import pytest

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.benchmark.random_inputs import input_shapes, random_inputs


def test_random_inputs_keep_to_the_declared_range_and_to_the_seed():
    spec = TensorSpec(name="image", shape=("batch", 3, 16, 16))
    declared = TensorSpec(name="image", shape=("batch", 3, 16, 16), value_range=(-2.0, 3.0))
    metadata = ModelMetadata(task="classify", name="m", inputs=(declared,))
    sizes = input_shapes((spec,), metadata, batch=2, shape=None)
    first, again, other = (random_inputs((spec,), metadata, sizes, seed)["image"] for seed in (1, 1, 2))
    assert first.shape == (2, 3, 16, 16)
    assert first.dtype == np.float32
    assert -2 <= first.min() < -1.5
    assert 2.5 < first.max() <= 3
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_free_size_that_nothing_fixes_is_asked_for():
    spec = TensorSpec(name="image", shape=("batch", 3, "height", "width"))
    with pytest.raises(InputError, match="give its size with --shape"):
        input_shapes((spec,), None, batch=1, shape=None)


def test_a_free_size_is_that_of_the_advised_tile_which_is_said(caplog):
    inputs = tuple(TensorSpec(name=name, shape=("batch", 3, "height", "width")) for name in ("image", "other"))
    metadata = ModelMetadata(task="other", name="m", inputs=inputs, tile=TileSpec(size=100, multiple=8))
    with caplog.at_level("INFO"):
        found = input_shapes(inputs, metadata, batch=2, shape=None)
    assert found == {"image": (2, 3, 96, 96), "other": (2, 3, 96, 96)}
    assert "advised tile, 96x96; --shape gives another" in caplog.text
    caplog.clear()
    assert input_shapes(inputs, metadata, batch=1, shape=(1, 3, 8, 8))["other"] == (1, 3, 8, 8)
    fixed = (TensorSpec(name="image", shape=("batch", 3, 64, 64)),)
    assert input_shapes(fixed, metadata, batch=1, shape=None) == {"image": (1, 3, 64, 64)}
    assert caplog.text == ""


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 3, 8), (2, 3, 8, 9)])
def test_a_shape_that_does_not_fit_is_refused_with_the_model_s_own(shape):
    spec = TensorSpec(name="image", shape=("batch", 3, "height", 8))
    with pytest.raises(InputError, match=r"'image' is batchx3xheightx8, which [0-9x]+ does not fit"):
        input_shapes((spec,), None, batch=1, shape=shape)


def test_a_mask_takes_its_size_from_the_picture_s_shape():
    image = TensorSpec(name="image", shape=("batch", 3, "height", "width"))
    mask = TensorSpec(name="mask", shape=("batch", 1, "height", "width"))
    assert input_shapes((image, mask), None, batch=1, shape=(2, 3, 8, 6))["mask"][1:] == (1, 8, 6)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="takes no input"):
        input_shapes((), None, batch=1, shape=None)
    for dtype in ("tensor(string)", "tensor(bfloat16)"):
        with pytest.raises(InputError, match="is not made at random"):
            random_inputs((TensorSpec(name="x", shape=(1,), dtype=dtype),), None, {"x": (1,)}, 0)
    with pytest.raises(InputError, match=r"1x3x10000000x10000000 for 'image' does not fit into memory"):
        random_inputs((TensorSpec(name="image", shape=(1,)),), None, {"image": (1, 3, 10_000_000, 10_000_000)}, 0)
