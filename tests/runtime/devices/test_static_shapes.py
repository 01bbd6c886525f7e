import numpy as np
import pytest

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.metadata import TensorSpec, TileSpec
from edgevision.runtime.devices.opening import static_shapes
from edgevision.runtime.engines.engine import EngineOptions
from edgevision.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from edgevision.runtime.engines.openvino_engine import OpenVinoEngine


def test_a_fixed_model_stays_as_it_is(write_colours):
    assert static_shapes(write_colours(batch=2), "npu") == {}


def test_a_dynamic_batch_becomes_one(write_colours):
    assert static_shapes(write_colours(), "npu") == {"image": (1, 3, 8, 8)}


@pytest.mark.parametrize("tile", [None, 48])
def test_dynamic_sides_become_those_of_a_tile(write_restorer, tile):
    path = write_restorer("denoise", tile=TileSpec(size=66, multiple=4, overlap=1))
    side = tile or 64
    assert static_shapes(path, "npu", tile=tile) == {"image": (1, 3, side, side)}


def test_sides_that_nothing_fixes_are_refused(write_restorer):
    with pytest.raises(
        DeviceError, match=r"takes no dynamic axes, and 'image' of .* is batchx3xheightxwidth; export it with --static"
    ):
        static_shapes(write_restorer("denoise", tile=TileSpec(overlap=None)), "npu")


@pytest.mark.parametrize(
    ("load", "package", "provider"),
    [(OnnxRuntimeEngine, "onnxruntime", "CPUExecutionProvider"), (OpenVinoEngine, "openvino", "CPU")],
)
def test_engines_load_with_the_shapes_fixed(write_colours, load, package, provider, need):
    need(package)
    options = EngineOptions(shapes={"image": (1, 3, 8, 8)})
    with load(write_colours(), provider, "cpu", options) as engine:
        assert engine.inputs == (TensorSpec(name="image", shape=(1, 3, 8, 8)),)
        picture = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
        np.testing.assert_allclose(engine.run({"image": picture})[0], 10 * picture.mean((2, 3)), rtol=1e-4)
