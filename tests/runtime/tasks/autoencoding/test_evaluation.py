"""Reconstructions by networks whose errors are known."""

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.samples import luma_of
from edgevision.metrics.figures import psnr_db, ssim
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.runtime.tasks.autoencoding.autoencoder import Reconstructor
from edgevision.runtime.tasks.autoencoding.evaluation import ReconstructionReport, evaluate_reconstructor


@pytest.fixture
def reconstructor(picture_engine):
    """Answers with ``function(image)`` and the means of its channels."""

    def build(function, image=None):
        image = image or ImageSpec(size=(8, 8))
        fake = picture_engine(function, image.color.channels)
        answer = fake._function
        fake._function = lambda feeds: [*answer(feeds), feeds["image"].mean((2, 3))]
        return Reconstructor(fake, ModelMetadata(task="reconstruct", name="squeezer", image=image))

    return build


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        pixels = generator.integers(40, 200, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return ImageFolder(tmp_path)


def test_a_known_error_has_the_figures_of_the_formulas(reconstructor, photos):
    report = evaluate_reconstructor(reconstructor(lambda image: image + np.float32(10 / 255)), photos, quiet=True)
    assert report.images == 3
    assert report.mse == pytest.approx((10 / 255) ** 2, rel=1e-4)
    assert report.psnr == pytest.approx(-20 * np.log10(10 / 255), rel=1e-5)
    given = np.asarray(photos.image(1))
    similarity = ssim(luma_of(given), luma_of(given + np.uint8(10)))
    assert report.pictures[1].name == "b.png"
    assert report.pictures[1].ssim == pytest.approx(similarity, abs=1e-3)
    assert report.ssim == pytest.approx(np.mean([picture.ssim for picture in report.pictures]))


def test_pictures_are_compared_at_the_networks_size(reconstructor, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 30, 3), dtype=np.uint8)).save(tmp_path / "big.png")
    report = evaluate_reconstructor(reconstructor(lambda image: image), ImageFolder(tmp_path), quiet=True)
    assert (report.mse, report.psnr, report.ssim) == (0, np.inf, pytest.approx(1))


def test_a_gray_network_is_compared_in_gray(reconstructor, photos):
    image = ImageSpec(size=(8, 8), color=Color.GRAY)
    report = evaluate_reconstructor(reconstructor(lambda x: 1 - x, image), photos, quiet=True)
    gray = np.asarray(photos.image(0).convert("L")) / 255
    assert report.pictures[0].psnr == pytest.approx(psnr_db(gray, 1 - gray), rel=1e-4)


@pytest.mark.parametrize("color", [Color.BGR, Color.YCBCR])
def test_the_order_of_the_networks_colours_does_not_matter(reconstructor, photos, color):
    report = evaluate_reconstructor(reconstructor(lambda x: x, ImageSpec(size=(8, 8), color=color)), photos, quiet=True)
    assert report.psnr > 45


def test_damaged_pictures_are_named(reconstructor, photos):
    (photos.path / "b.png").write_bytes(b"\x89PNG")
    report = evaluate_reconstructor(reconstructor(lambda image: image), photos, quiet=True)
    assert (report.images, list(report.failures)) == (2, ["b.png"])
    (photos.path / "a.png").write_bytes(b"\x89PNG")
    (photos.path / "c.png").write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match="not one of the 3"):
        evaluate_reconstructor(reconstructor(lambda image: image), photos, quiet=True)


def test_the_report_survives_json(reconstructor, photos):
    report = evaluate_reconstructor(reconstructor(lambda image: image * 0.9), photos, quiet=True)
    assert ReconstructionReport.from_dict(report.to_dict()) == report
