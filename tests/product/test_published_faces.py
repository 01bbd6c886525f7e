"""Published face detectors find what their authors' code finds, by their metadata alone."""

from pathlib import Path

import numpy as np
import pytest

import edgevision


@pytest.fixture(scope="module")
def retina(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("retina") / "retina.onnx"
    edgevision.export(
        shared / "cases/face_retina_mnet025/mobilenet0.25_Final.pth",
        output,
        arch="face_networks:RetinaFace",
        input_shape=(1, 3, 480, 736),
        metadata={
            "task": "detect",
            "image": {
                "color": "bgr",
                "value_range": [0, 255],
                "mean": [104, 117, 123],
                "resize": "pad",
                "pad_corner": True,
                "scale_up": False,
            },
            "spec": {"layout": "retina-small"},
        },
    )
    return output


def test_retinaface_counts_the_faces_and_their_eyes(retina: Path, shared: Path) -> None:
    with edgevision.load(retina) as find:
        found = find(shared / "cases/ultraface_slim/faces.jpg")
    assert len(found) == 51
    assert set(found.names) == {"face"}
    left_eye, right_eye = found.points[:, 0], found.points[:, 1]
    assert (left_eye[:, 0] < right_eye[:, 0]).mean() > 0.9
    nose, mouth = found.points[:, 2], found.points[:, 3:].mean(axis=1)
    assert (nose[:, 1] < mouth[:, 1]).all()


@pytest.fixture(scope="module")
def blaze(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("blaze") / "blaze.onnx"
    edgevision.export(
        shared / "cases/blazeface_front/blazeface.pth",
        output,
        arch="face_networks:BlazeFace",
        input_shape=(1, 3, 128, 128),
        metadata={"task": "detect", "image": {"value_range": [-1, 1], "resize": "stretch"}},
    )
    return output


def test_blazeface_finds_one_face_where_it_is(blaze: Path, shared: Path) -> None:
    with edgevision.load(blaze) as find:
        found = find(shared / "cases/blazeface_front/1face.png")
    height, width = found.size
    assert len(found) == 1
    assert found.scores[0] == pytest.approx(0.996, abs=0.002)
    expected = np.array([0.317 * width, 0.271 * height, 0.487 * width, 0.442 * height])
    np.testing.assert_allclose(found.boxes[0], expected, atol=0.01 * width)


def test_blazeface_finds_three_faces(blaze: Path, shared: Path) -> None:
    with edgevision.load(blaze) as find:
        found = find(shared / "cases/blazeface_front/3faces.png")
    np.testing.assert_allclose(found.scores, [0.999, 0.997, 0.924], atol=0.01)


def test_ultraface_counts_the_faces_that_its_larger_sister_does(shared: Path, tmp_path: Path) -> None:
    image = {"mean": [127, 127, 127], "std": [128, 128, 128], "value_range": [0, 255]}
    edgevision.export(
        shared / "cases/ultraface_slim/version-slim-320.onnx",
        tmp_path / "slim.onnx",
        metadata={"task": "detect", "image": image},
    )
    with edgevision.load(tmp_path / "slim.onnx") as find:
        found = find(shared / "cases/ultraface_slim/faces.jpg")
    # 44 above 0.7 by the larger one.
    assert abs((found.scores > 0.7).sum() - 44) <= 2
