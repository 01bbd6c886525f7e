"""The published figures of published restoration checkpoints, in every form they are exported to."""

from pathlib import Path

import numpy as np
import pytest

import edgevision
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.verify import verify
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float, luma_of
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.evaluation import evaluate_restorer
from edgevision.runtime.tasks.restoration.spec import Prediction

DNCNN = {
    "arch": "edgevision.models:DnCnn",
    "input_shape": (1, 1, 64, 64),
    "metadata": {"task": "denoise", "restoration": {"predicts": "noise"}},
}
FSRCNN = {
    "arch": "edgevision.models:Fsrcnn",
    "input_shape": (1, 3, 64, 64),
    "metadata": {"task": "upscale", "image": {"color": "ycbcr"}},
}
IAT = {
    "arch": "edgevision.models:Iat",
    "input_shape": (1, 3, 64, 64),
    "metadata": {"task": "brighten", "image": {"value_range": [-1, 1]}, "restoration": {"output_range": [0, 1]}},
}


def export_both(checkpoint: Path, folder: Path, **options) -> tuple[Path, Path]:
    onnx, openvino = folder / "net.onnx", folder / "net.xml"
    edgevision.export(checkpoint, onnx, **options)
    edgevision.export(checkpoint, openvino, format="openvino", **options)
    return onnx, openvino


@pytest.fixture(scope="module")
def dncnn(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return export_both(shared / "cases/dncnn_s25/net.pth", tmp_path_factory.mktemp("dncnn"), **DNCNN)


@pytest.fixture(scope="module")
def fsrcnn(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return export_both(shared / "cases/fsrcnn_x2/ckpt.pt", tmp_path_factory.mktemp("fsrcnn"), **FSRCNN)


@pytest.fixture(scope="module")
def iat(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return export_both(shared / "cases/iat_lowlight/best_Epoch_lol.pth", tmp_path_factory.mktemp("iat"), **IAT)


def test_pytorch_onnx_and_openvino_denoise_as_well_as_published(dncnn, shared):
    data, damage = shared / "data/set12", EvaluationOptions(sigma=25, seed=0, quiet=True)
    report = verify(
        dncnn[0],
        shared / "cases/dncnn_s25/net.pth",
        arch=DNCNN["arch"],
        data=data,
        evaluation=damage,
        samples=1,
        quiet=True,
    )
    with edgevision.load(dncnn[1]) as denoise:
        openvino = evaluate_restorer(denoise, ImageFolder(data), damage)
    for quality in (report.checkpoint_quality, report.model_quality, openvino):
        assert quality.images == 12
        assert quality.figures["psnr"] == pytest.approx(30.38, abs=0.02)
        # What noise of sigma 25 leaves, 20 log10(255 / 25), and a little more where it is clipped.
        assert quality.before["psnr"] == pytest.approx(20.17, abs=0.3)


def test_the_denoiser_says_that_it_predicts_noise_and_how_far_it_looks(dncnn):
    for path in dncnn:
        metadata = read_metadata(path)
        assert metadata.spec.predicts is Prediction.NOISE
        assert metadata.spec.scale == 1
        assert metadata.outputs[0].name == "restored_noise"
        # 17 convolutions of 3x3 reach 17 pixels, most of them hardly.
        assert 8 <= metadata.tile.overlap <= 24


def test_pytorch_onnx_and_openvino_upscale_as_well_as_published(fsrcnn, shared):
    data = shared / "cases/fsrcnn_x2"
    report = verify(fsrcnn[0], data / "ckpt.pt", arch=FSRCNN["arch"], data=data, samples=2, quiet=True)
    with edgevision.load(fsrcnn[1]) as upscale:
        openvino = evaluate_restorer(upscale, ImageFolder(data), EvaluationOptions(quiet=True))
    for quality in (report.checkpoint_quality, report.model_quality, openvino):
        assert (quality.images, quality.damage) == (5, "pairs of the data")
        assert quality.figures["psnr_y"] == pytest.approx(34.146, abs=0.005)
        assert quality.figures["psnr_y"] > quality.before["psnr_y"] + 1


def test_the_upscaler_says_its_scale_and_that_its_output_is_clipped(fsrcnn):
    for path in fsrcnn:
        metadata = read_metadata(path)
        assert metadata.spec.scale == 2
        assert metadata.outputs[0].value_range == (0, 1)
        assert metadata.outputs[0].shape[:2] == ("batch", 3)
        assert metadata.tile.overlap is not None


def test_the_brightener_looks_everywhere_which_is_said(iat):
    for path in iat:
        metadata = read_metadata(path)
        assert metadata.tile.overlap is None
        assert metadata.spec.output_range == (0, 1)
        assert metadata.inputs[0].value_range == (-1, 1)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_the_brightener_brightens_a_dark_photo_without_a_cast(iat, shared, kind):
    photo = Picture.read(shared / "cases/iat_lowlight/low_demo.jpg")
    with edgevision.load(iat[0] if kind == "onnx" else iat[1]) as brighten:
        bright = brighten(photo)
    assert (bright.height, bright.width) == (photo.height, photo.width)
    assert luma_of(bright.pixels).mean() > 2 * luma_of(photo.pixels).mean()
    rises = (as_float(bright.pixels) - as_float(photo.pixels)).mean(axis=(0, 1))
    # No channel rises by more than half again as much as the one that rises least.
    assert rises.min() > 0
    assert rises.max() < 1.5 * rises.min()
    # It is neither all black nor all white: what was dark and light still is.
    assert np.corrcoef(luma_of(bright.pixels).ravel(), luma_of(photo.pixels).ravel())[0, 1] > 0.8
