"""A wrong setting of a model's input is named, and a right model is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from edgevision.core.errors import WrongSettingError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.input_settings import candidates
from edgevision.exporters.input_settings.report import SettingsReport
from edgevision.exporters.input_settings.search import find_wrong_setting
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Resample, Resize, TensorSpec
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

LABELS = ("ant", "bee", "cow", "dog")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NONE = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
RIGHT = ModelMetadata(
    task="classify",
    name="animals",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 16, 16)),),
    outputs=(TensorSpec(name="logits", shape=("batch", 4)),),
    image=ImageSpec(size=(16, 16), resize=Resize.CROP, resample=Resample.BILINEAR, **IMAGENET),
    spec=ClassificationSpec(labels=LABELS, activation=Activation.NONE),
)
OPTIONS = EvaluationOptions(quiet=True)


def drawn(generator: np.random.Generator) -> Image.Image:
    """48x32 pixels of large coloured patches under fine noise."""
    patches = generator.integers(0, 256, (4, 6, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(patches).resize((48, 32), Image.Resampling.BICUBIC))
    noisy = smooth + generator.normal(0, 50, smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(2)
    return build_model("cnn3", num_classes=4, image_size=16).eval()


@pytest.fixture(scope="module")
def pictures(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    """Of the classes that the network, made even-handed first, takes them for."""
    folder = tmp_path_factory.mktemp("animals")
    generator = np.random.default_rng(0)
    images = [drawn(generator) for _ in range(90)]
    assert RIGHT.image is not None
    tensors = torch.from_numpy(np.stack([Preprocessor(RIGHT.image)(image) for image in images]))
    with torch.inference_mode():
        logits = network(tensors)
        last = network.classifier[-1]
        last.bias -= logits.mean(dim=0)
        last.weight /= 0.1 * logits.std()
        last.bias /= 0.1 * logits.std()
        taken_for = network(tensors).argmax(dim=1).tolist()
    for number, (image, label) in enumerate(zip(images, taken_for, strict=True)):
        (folder / LABELS[label]).mkdir(exist_ok=True)
        image.save(folder / LABELS[label] / f"{number:03}.png")
    return ImageFolder(folder)


Search = Callable[..., SettingsReport]


@pytest.fixture
def search(network: nn.Module, pictures: ImageFolder) -> Search:
    def run(origin: ModelMetadata | None = None, data: ImageFolder = pictures, **faults: Any) -> SettingsReport:
        assert RIGHT.image is not None
        faulty = RIGHT.updated(image=RIGHT.image.updated(**faults))
        with TorchEngine(network, RIGHT.inputs, RIGHT.outputs) as engine:
            report = find_wrong_setting(engine, faulty, data, OPTIONS, origin=origin)
        assert report is not None
        return report

    return run


def test_nothing_is_wrong_with_a_right_model(search: Search) -> None:
    for origin in (None, RIGHT):
        report = search(origin)
        assert (report.wrong, report.metric, report.pictures) == (None, "top1", 45)
        assert report.finding() == f"none of {len(report.tried)} others gives a better top1"
        report.check("animals.onnx")


@pytest.mark.parametrize(
    ("faults", "mended"),
    [
        ({"color": Color.BGR}, {"--color": "rgb"}),
        ({"value_range": (0.0, 255.0)}, {"--value-range": "0,1"}),
        ({"value_range": (-1.0, 1.0)}, {"--value-range": "0,1"}),
        (NONE, {"--mean": "0.485,0.456,0.406", "--std": "0.229,0.224,0.225"}),
        ({"mean": NONE["mean"]}, {"--mean": "0.485,0.456,0.406"}),
        ({"std": NONE["std"]}, {"--std": "0.229,0.224,0.225"}),
        ({"resize": Resize.STRETCH}, {"--resize": "crop"}),
        ({"resize": Resize.PAD}, {"--resize": "crop"}),
        ({"resample": Resample.NEAREST}, {"--resample": "bilinear"}),
        ({"color": Color.BGR, "resize": Resize.PAD}, {"--color": "rgb", "--resize": "crop"}),
        (
            {"color": Color.BGR, "value_range": (0.0, 255.0), "mean": (103.939, 116.779, 123.68), "std": NONE["std"]},
            # The same as 0.485 and so on of 0..1.
            {"--color": "rgb", "--mean": "123.675,116.28,103.53", "--std": "58.395,57.12,57.375"},
        ),
    ],
)
def test_the_wrong_setting_is_named(search: Search, faults: dict[str, Any], mended: dict[str, str]) -> None:
    report = search(**faults)
    assert report.wrong is not None, report
    assert report.wrong.settings == mended
    assert report.wrong.instead_of.keys() == mended.keys()
    assert report.wrong.after == 100
    low, high = report.wrong.interval
    assert 0 < low <= report.wrong.gain <= high
    with pytest.raises(WrongSettingError, match=r"'animals.onnx' says .*export it again with --"):
        report.check("animals.onnx")


def test_unknown_numbers_are_taken_from_the_checkpoint(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_OF_COLOR", ())
    assert search(mean=NONE["mean"]).wrong is None
    report = search(origin=RIGHT, mean=NONE["mean"])
    assert report.wrong is not None
    assert report.wrong.settings == {"--mean": "0.485,0.456,0.406"}


def test_what_makes_no_difference_is_said(search: Search, pictures: ImageFolder, tmp_path: Path) -> None:
    assert RIGHT.image is not None
    for index, name in enumerate(pictures.names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pictures.image(index).resize((16, 16)).save(path)
    report = search(data=ImageFolder(tmp_path))
    assert report.alike == ("--resample", "--resize")
    assert report.finding().endswith("; --resample, --resize made no difference on these pictures")


def test_without_classes_it_is_a_guess(search: Search, pictures: ImageFolder, tmp_path: Path) -> None:
    for index in range(len(pictures)):
        pictures.image(index).save(tmp_path / f"{index:03}.png")
    report = search(data=ImageFolder(tmp_path), value_range=(0.0, 1e-3))
    assert not report.truth
    assert report.wrong is not None
    assert "--value-range" in report.wrong.settings
    assert "may be wrong, at a guess without classes" in report.finding()
    report.check("animals.onnx")


def test_a_few_pictures_show_nothing(network: nn.Module, pictures: ImageFolder, tmp_path: Path) -> None:
    for index in range(15):
        pictures.image(index).save(tmp_path / f"{index:03}.png")
    with TorchEngine(network, RIGHT.inputs, RIGHT.outputs) as engine:
        assert find_wrong_setting(engine, RIGHT, ImageFolder(tmp_path), OPTIONS) is None


class Blur(nn.Module):
    """Takes noise away from pictures in 0..1, or gives the noise."""

    def __init__(self, predicts: Prediction) -> None:
        super().__init__()
        self.predicts = predicts

    def forward(self, image: Tensor) -> Tensor:
        restored = F.avg_pool2d(image.clamp(-0.5, 1.5), 5, 1, 2, count_include_pad=False)
        return image - restored if self.predicts is Prediction.NOISE else restored


@pytest.mark.parametrize(
    ("predicts", "image", "spec", "mended"),
    [
        (Prediction.IMAGE, {}, {}, {}),
        (Prediction.NOISE, {}, {}, {}),
        (Prediction.IMAGE, {"value_range": (0.0, 255.0)}, {}, {"--value-range": "0,1"}),
        (Prediction.NOISE, {}, {"predicts": Prediction.IMAGE}, {"--predicts": "noise"}),
        (Prediction.IMAGE, {}, {"predicts": Prediction.NOISE}, {"--predicts": "image"}),
        (Prediction.IMAGE, {}, {"output_range": (-1.0, 1.0)}, {"--output-range": "0,1"}),
    ],
)
def test_restoration_is_judged_by_psnr(
    predicts: Prediction,
    image: dict[str, Any],
    spec: dict[str, Any],
    mended: dict[str, str],
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(0)
    for number in range(24):
        patches = generator.integers(40, 216, (3, 3, 3), np.uint8)
        Image.fromarray(patches).resize((32, 32), Image.Resampling.BICUBIC).save(tmp_path / f"{number:02}.png")
    tensor = TensorSpec(name="image", shape=("batch", 3, "height", "width"))
    metadata = ModelMetadata(
        task="denoise",
        name="blur",
        inputs=(tensor,),
        outputs=(tensor,),
        image=ImageSpec(**image),
        spec=RestorationSpec(**({"predicts": predicts} | spec)),
    )
    with TorchEngine(Blur(predicts).eval(), metadata.inputs, metadata.outputs) as engine:
        report = find_wrong_setting(engine, metadata, ImageFolder(tmp_path), OPTIONS)
    assert report is not None
    assert (report.metric, report.unit) == ("psnr", "dB")
    assert (report.wrong.settings if report.wrong is not None else {}) == mended
