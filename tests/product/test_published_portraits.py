"""A published portrait segmenter finds persons as its authors' code does, by its metadata alone."""

import zipfile
from pathlib import Path

import pytest

import edgevision

FIELDS = {
    "task": "segment",
    "image": {
        "color": "bgr",
        "resample": "linear",  # by OpenCV
        # ((x - mean) / std) / 255 of samples x, as it was trained
        "value_range": [0, 255],
        "mean": [107.304565, 115.69884, 132.35703],
        "std": [63.97182 * 255, 65.1337 * 255, 68.29726 * 255],
    },
    "spec": {"labels": ["person"]},
}


@pytest.fixture(scope="module")
def portraits(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sixth of the pictures of val and test, and their masks."""
    folder = tmp_path_factory.mktemp("portraits")
    with zipfile.ZipFile(shared / "data/salient.zip") as archive:
        pictures = [name for name in archive.namelist() if name.startswith(("val/", "test/")) and name.endswith(".jpg")]
        for name in sorted(pictures, key=lambda name: Path(name).name)[::6]:
            for entry in (name, f"{name.removesuffix('.jpg')}.png"):
                (folder / Path(entry).name).write_bytes(archive.read(entry))
    return folder


def test_extremec3_finds_persons(shared: Path, portraits: Path, tmp_path: Path) -> None:
    model = tmp_path / "portrait.onnx"
    edgevision.export(
        shared / "cases/portrait_extremec3/ExtremeC3.pth",
        model,
        arch="portrait_network:ExtremeC3",
        input_shape=(1, 3, 224, 224),
        metadata=FIELDS,
    )
    report = edgevision.evaluate(model, portraits, quiet=True)
    assert [score.label for score in report.classes] == ["background", "person"]
    assert report.images == 10
    assert report.picture_iou == pytest.approx(75.3, abs=0.5)
    assert report.median_picture_iou == pytest.approx(89.3, abs=0.5)
