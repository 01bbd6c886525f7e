import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.imaging.lab import from_lab
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TileSpec
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.evaluation import RestorationReport, evaluate_restorer, judged_figure
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec


def gradient(height=48, width=64):
    y, x = np.mgrid[:height, :width]
    return np.dstack([60 + x, 60 + y, 60 + (x + y) // 2]).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Write pictures by name as a data set."""

    def write(**pictures):
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        return ImageFolder(tmp_path)

    return write


def _image(predicts):
    color = Color.GRAY if predicts is Prediction.CHROMA else Color.RGB
    return ImageSpec(color=color, size=(16, 16) if predicts.from_thumbnail else None)


@pytest.fixture
def restorer(picture_engine):
    def build(task, function, **spec):
        metadata = ModelMetadata(
            task=task,
            name="net",
            image=_image(spec.get("predicts", Prediction.IMAGE)),
            spec=RestorationSpec(**spec),
            tile=TileSpec(overlap=0),
        )
        channels = metadata.image.color.channels
        return build_pipeline(picture_engine(function, mask=task == "inpaint", channels=channels), metadata)

    return build


def same(image, *_):
    return image


def doubled(image):
    return image.repeat(2, axis=2).repeat(2, axis=3)


def measure(restorer, data, **options):
    return evaluate_restorer(restorer, data, EvaluationOptions(quiet=True, **options))


@pytest.mark.parametrize("sigma", [10, 25])
def test_a_network_that_does_nothing_has_the_psnr_of_the_noise(restorer, folder, sigma):
    report = measure(restorer("denoise", same), folder(a=np.full((80, 90, 3), 128, np.uint8)), sigma=sigma)
    assert report.figures["psnr"] == pytest.approx(20 * np.log10(255 / sigma), abs=0.15)
    assert report.figures == report.before
    assert report.damage == f"Gaussian noise, sigma {sigma}, seed 0, not clipped"


def test_a_perfect_network_leaves_only_rounding(restorer, folder):
    good = gradient()
    perfect = restorer("denoise", lambda image: good.transpose(2, 0, 1)[None].astype(np.float32) / 256)
    report = measure(perfect, folder(a=good))
    assert report.figures["psnr"] > 50
    assert report.figures["ssim"] > 0.999
    assert report.before["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.3)


def test_the_same_seed_gives_the_same_figures(restorer, folder):
    data = folder(a=gradient(), b=gradient(30, 40))
    reports = [measure(restorer("denoise", same), data, seed=seed) for seed in (1, 1, 2)]
    assert reports[0] == reports[1] != reports[2]


def test_the_figures_are_means_over_the_pictures(restorer, folder):
    report = measure(restorer("denoise", same), folder(a=gradient(), b=np.full((40, 40, 3), 250, np.uint8)))
    assert report.images == 2
    assert [picture.name for picture in report.pictures] == ["a.png", "b.png"]
    a, b = (picture.figures["psnr"] for picture in report.pictures)
    assert abs(a - b) > 1
    assert report.figures["psnr"] == pytest.approx((a + b) / 2)


def test_a_gray_picture_is_measured_too(restorer, folder):
    report = measure(restorer("denoise", same), folder(a=np.full((80, 90), 128, np.uint8)))
    assert report.figures["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.2)


def test_ready_pairs_are_compared_as_they_are(restorer, folder):
    small = gradient(24, 32)
    large = small.repeat(2, axis=0).repeat(2, axis=1) + np.uint8(1)
    report = measure(restorer("upscale", doubled, scale=2), folder(x_LR=small, x_HR=large, other=gradient()))
    assert report.images == 1
    assert report.pictures[0].name == "x"
    assert report.damage == "pairs of the data"
    assert report.figures["psnr"] == pytest.approx(20 * np.log10(255), abs=1e-3)


def test_without_pairs_pictures_are_shrunk_by_pillow(restorer, folder):
    flat = np.full((49, 65, 3), 77, np.uint8)  # odd: a row and a column are left out
    flat[:, :, 1] = 99
    report = measure(restorer("upscale", lambda image: doubled(image) + 1 / 255, scale=2), folder(a=flat))
    assert report.damage == "shrunk 2 times, Pillow bicubic"
    assert report.figures["psnr"] == pytest.approx(20 * np.log10(255), abs=1e-3)
    assert report.before["psnr"] == float("inf")


def test_the_luma_of_the_literature_has_its_own_range_and_leaves_the_border_out(restorer, folder):
    small = np.full((10, 12, 3), 100, np.uint8)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    large[2:-2, 2:-2] += 10
    figures = measure(restorer("upscale", doubled, scale=2), folder(x_LR=small, x_HR=large)).figures
    assert figures["psnr_y_studio"] == pytest.approx(20 * np.log10(255 / 10 * 255 / 219), abs=0.01)
    assert figures["psnr_y"] == pytest.approx(20 * np.log10(255 / 10) + 10 * np.log10(20 * 24 / (16 * 20)), abs=0.01)


def test_a_pair_of_another_scale_is_reported(restorer, folder):
    data = folder(x_LR=gradient(24, 32), x_HR=gradient(72, 96), y_LR=gradient(24, 32), y_HR=gradient(48, 64))
    report = measure(restorer("upscale", doubled, scale=2), data)
    assert report.images == 1
    assert "which is not 2 times" in report.failures["x"]


def test_a_pair_of_gray_and_colour_is_reported(restorer, folder):
    data = folder(x_LR=gradient(24, 32)[:, :, 0], x_HR=gradient(48, 64), y_LR=gradient(24, 32), y_HR=gradient(48, 64))
    report = measure(restorer("upscale", doubled, scale=2), data)
    assert list(report.failures) == ["x"]


def test_a_picture_too_small_to_be_shrunk_is_reported(restorer, folder):
    report = measure(restorer("upscale", doubled, scale=2), folder(a=gradient(), b=gradient(1, 9)))
    assert list(report.failures) == ["b.png"]


@pytest.mark.parametrize("holes", HoleKind)
def test_holes_are_measured_where_they_are(restorer, folder, holes):
    white = restorer("inpaint", lambda image, mask: np.maximum(image, mask))
    report = measure(white, folder(a=np.full((100, 110, 3), 127, np.uint8)), holes=holes)
    assert report.figures["psnr"] == pytest.approx(20 * np.log10(255 / 128), abs=1e-3)
    assert report.before["psnr"] > 100
    assert report.damage == f"{holes}, seed 0"


def test_a_network_that_keeps_its_guess_is_as_good_as_the_smooth_filling(restorer, folder):
    report = measure(restorer("inpaint", same), folder(a=gradient(90, 100)), holes=HoleKind.STROKES)
    assert report.figures["psnr"] == pytest.approx(report.before["psnr"], abs=0.1)
    assert 30 < report.figures["psnr"] < float("inf")


def test_inpainting_gets_nothing_of_what_lies_in_the_holes(restorer, folder):
    good = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    report = measure(restorer("inpaint", same), folder(a=good), holes=HoleKind.BOXES)
    assert report.figures["psnr"] < 15


def test_a_single_pixel_is_no_picture_to_tear_holes_in(restorer, folder):
    report = measure(restorer("inpaint", same), folder(a=gradient(), b=gradient(1, 1)))
    assert list(report.failures) == ["b.png"]


def test_brightening_is_measured_against_the_picture_in_full_light(restorer, folder):
    none = restorer("brighten", lambda image: np.zeros((1, 3, 2, 2), np.float32), predicts=Prediction.CURVES)
    some = restorer("brighten", lambda image: np.ones((1, 6, 2, 2), np.float32), predicts=Prediction.CURVES)
    data = folder(a=gradient())
    assert measure(none, data).figures == measure(none, data).before == measure(some, data).before
    assert measure(some, data).figures["psnr"] > measure(some, data).before["psnr"]
    assert measure(some, data).damage == "1.5 to 4.5 stops less light, seed 0"


def test_colours_are_measured_in_a_and_b_against_those_of_the_picture(restorer, folder):
    spec = {"predicts": Prediction.CHROMA}
    none = restorer("colorize", lambda image: np.zeros((1, 2, 8, 8), np.float32), **spec)
    right = np.tile(np.array([-30, 35], np.float32)[None, :, None, None], (1, 1, 8, 8))
    some = restorer("colorize", lambda image: right, **spec)
    green = from_lab(np.full((32, 40), 60, np.float32), np.tile(np.float32([-30, 35]), (32, 40, 1)))
    data = folder(a=(green * 255).round().astype(np.uint8))
    assert measure(none, data).figures == pytest.approx(measure(none, data).before, abs=1e-3)
    assert measure(none, data).figures["psnr_ab"] == pytest.approx(
        20 * np.log10(255 / np.hypot(30, 35) * 2**0.5), abs=0.1
    )
    assert measure(some, data).figures["psnr_ab"] > 45
    assert measure(some, data).figures["colorfulness"] > 10 > measure(some, data).before["colorfulness"]
    assert judged_figure(measure(some, data).figures) == "psnr_ab"


def test_held_out_pictures_alone_are_measured(restorer, folder):
    data = folder(**{f"p{number}": gradient(20, 20) for number in range(30)})
    names = [name for name in data.names if is_held_out(name)]
    report = measure(restorer("denoise", same), data, held_out=True)
    assert 0 < len(names) < 30
    assert [picture.name for picture in report.pictures] == names
    assert measure(restorer("denoise", same), data).images == 30


def test_a_damaged_picture_is_named_and_left_out(restorer, folder, tmp_path):
    folder(a=gradient(), c=gradient())
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    report = measure(restorer("denoise", same), ImageFolder(tmp_path))
    assert report.images == 2
    assert list(report.failures) == ["b.png"]
    (tmp_path / "a.png").unlink()
    (tmp_path / "c.png").unlink()
    with pytest.raises(DatasetError, match="not one of the 1 pictures could be used"):
        measure(restorer("denoise", same), ImageFolder(tmp_path))


def test_the_report_survives_json(restorer, folder):
    report = measure(restorer("denoise", same), folder(a=gradient()))
    assert RestorationReport.from_dict(report.to_dict()) == report


def test_a_picture_whose_restoration_is_not_finite_is_named_and_left_out(restorer, folder):
    def spoil_black(image):
        return image / np.float32(image.max() > 0.1)

    with np.errstate(all="ignore"):
        black = np.zeros((20, 24, 3), np.uint8)
        report = measure(restorer("denoise", spoil_black), folder(a=gradient(), b=black, c=gradient()), sigma=0)
    assert [picture.name for picture in report.pictures] == ["a.png", "c.png"]
    assert "not finite" in report.failures["b.png"]


@pytest.mark.parametrize("kind", NoiseKind)
def test_each_kind_of_noise_is_added_and_named(restorer, folder, kind):
    data = folder(**{f"p{number}": gradient() for number in range(6)})
    report = measure(restorer("denoise", same), data, noise=kind, sigma=20)
    assert ("Gaussian" if kind is NoiseKind.WHITE else kind.value) in report.damage
    assert report.figures["psnr"] == pytest.approx(report.before["psnr"], abs=0.01)
    assert report.before["psnr"] < 45
