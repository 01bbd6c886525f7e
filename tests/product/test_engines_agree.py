"""Every model that ships gives the same answer in both engines, and so does what is quantised."""

from pathlib import Path

import numpy as np
import pytest

import edgevision.runtime.assets
from edgevision.exporters.quantization.options import Preset
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.stylization.stylizer import no_statistics

ASSETS = sorted(Path(edgevision.runtime.assets.__file__).parent.glob("*.onnx"))


PICTURES = Path(__file__).parents[2] / "examples" / "pictures"


def agreement_db(path: Path) -> float:
    """SQNR of OpenVINO's least agreeing output to ONNX Runtime's, on noise."""
    generator = np.random.default_rng(0)
    with open_engine(path, "ort:cpu") as ort, open_engine(path, "openvino:cpu") as openvino:
        feeds = {
            spec.name: generator.random(
                [side if isinstance(side, int) else (2 if axis == 0 else 64) for axis, side in enumerate(spec.shape)],
                np.float32,
            )
            for spec in ort.inputs
        }
        if "statistics" in feeds:  # any numbers are none: squares of what lies far apart run over
            (feeds["statistics"],) = no_statistics(ort.inputs, 2)
        return min(sqnr_db(a, b) for a, b in zip(ort.run(feeds), openvino.run(feeds), strict=True))


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_onnx_runtime_and_openvino_compute_the_same(path):
    # One step of rounding in a layer is a step in all behind it.
    assert agreement_db(path) > (30 if require_metadata(path).precision is Precision.INT8 else 100)


def test_they_round_int8_alike(tmp_path):
    path = tmp_path / "upscale.onnx"
    settings = QuantizationSettings(target="x86-avx2", preset=Preset.QUICK, calibration=PICTURES)
    edgevision.export(shipped_model("upscale"), path, precision="int8", int8=settings)
    assert agreement_db(path) > 50
