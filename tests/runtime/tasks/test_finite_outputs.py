import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import NotFiniteError
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.shipped_models import shipped_model

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
ASKED = {
    "classify": lambda classify: classify(PICTURE),
    "generate": lambda generate: generate(2, seed=0),
    "inpaint": lambda inpaint: inpaint(PICTURE, PICTURE[:, :, 0] > 128),
    "denoise": lambda denoise: denoise(PICTURE),
    "upscale": lambda upscale: upscale(PICTURE),
    "brighten": lambda brighten: brighten(PICTURE),
}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("task", ASKED)
def test_a_number_that_is_none_becomes_an_error_and_not_a_picture(task, value):
    path = shipped_model(task)
    with open_engine(path, threads=1) as engine:

        def spoiled(feeds):
            outputs = engine.run(feeds)
            outputs[0].flat[-1] = value
            return outputs

        pipeline = build_pipeline(FakeEngine(engine.inputs, engine.outputs, spoiled), require_metadata(path))
        with pytest.raises(NotFiniteError, match=r"^1 of \d+ values .* are not finite \(fake on cpu\)"):
            ASKED[task](pipeline)
