import numpy as np
import pytest

from edgevision.errors import InputError
from edgevision.metadata import ModelMetadata, Task, TensorSpec
from edgevision.runtime.benchmark.feeds import random_feeds


def test_random_inputs_keep_to_the_declared_range_and_to_the_seed():
    spec = TensorSpec(name="image", shape=("batch", 3, 16, 16))
    declared = TensorSpec(name="image", shape=("batch", 3, 16, 16), value_range=(-2.0, 3.0))
    metadata = ModelMetadata(task=Task.CLASSIFY, name="m", inputs=(declared,))
    first = random_feeds((spec,), metadata, batch=2, shape=None, seed=1)["image"]
    again = random_feeds((spec,), metadata, batch=2, shape=None, seed=1)["image"]
    other = random_feeds((spec,), metadata, batch=2, shape=None, seed=2)["image"]
    assert first.shape == (2, 3, 16, 16)
    assert first.dtype == np.float32
    assert -2 <= first.min() < -1.5
    assert 2.5 < first.max() <= 3
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_free_size_that_nothing_fixes_is_asked_for():
    spec = TensorSpec(name="image", shape=("batch", 3, "height", "width"))
    with pytest.raises(InputError, match="give its size with --shape"):
        random_feeds((spec,), None, batch=1, shape=None, seed=0)
