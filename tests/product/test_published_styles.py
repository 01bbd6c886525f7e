"""A published network for fast style transfer goes all the way by its metadata alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.runtime.devices.opening import open_engine

METADATA = {"task": "stylize", "image": {"value_range": [0, 255]}, "spec": {"output_range": [0, 255]}}


def test_a_picture_is_painted_as_its_authors_file_does_and_judged_by_the_photograph(
    shared: Path, tmp_path: Path
) -> None:
    case = shared / "cases/faststyle_nc8"
    given, model = case / "mosaic_nc8_256x256.onnx", tmp_path / "mosaic.onnx"
    with Image.open(case / "amber.jpg") as image:
        photo = image.convert("RGB").resize((256, 256))
    photo.save(tmp_path / "photo.png")
    edgevision.export(given, model, metadata=METADATA)
    with open_engine(given) as engine, edgevision.load(model) as paint:
        (wanted,) = engine.run({engine.inputs[0].name: np.asarray(photo, np.float32).transpose(2, 0, 1)[None]})
        painted = np.asarray(paint(photo).pixels, np.float64)
    assert np.abs(painted - wanted[0].transpose(1, 2, 0).clip(0, 255)).max() < 1
    report = edgevision.evaluate(model, tmp_path, quiet=True)
    assert list(report.figures) == ["content_distance"]
    assert report.figures["content_distance"] > 10 * report.before["content_distance"] == pytest.approx(0, abs=0.05)
