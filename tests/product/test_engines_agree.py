"""Every model that ships gives the same answer in both engines."""

from pathlib import Path

import numpy as np
import pytest

import edgevision.runtime.assets
from edgevision.metrics import sqnr_db
from edgevision.runtime.devices import open_engine

ASSETS = sorted(Path(edgevision.runtime.assets.__file__).parent.glob("*.onnx"))


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_onnx_runtime_and_openvino_compute_the_same(path):
    generator = np.random.default_rng(0)
    with open_engine(path, "ort:cpu") as ort, open_engine(path, "openvino:cpu") as openvino:
        feeds = {
            spec.name: generator.random(
                [side if isinstance(side, int) else (2 if axis == 0 else 64) for axis, side in enumerate(spec.shape)],
                np.float32,
            )
            for spec in ort.inputs
        }
        results = zip(ort.run(feeds), openvino.run(feeds), strict=True)
        assert all(sqnr_db(a, b) > 100 for a, b in results)
