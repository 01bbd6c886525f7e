"""Networks of timm and torchvision, of which small fakes with the same attributes stand in: neither is installed."""

import sys
from enum import Enum
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import edgevision
from edgevision.core.errors import DeviceError, InputError
from edgevision.exporters.sources.library_network import read_library_network
from edgevision.imaging.preprocessing import placement, resize
from edgevision.modelfiles.metadata import ImageSpec, Resample, Resize
from edgevision.modelfiles.model_references import library_reference

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def small_network(classes=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)
    )


@pytest.fixture
def timm(monkeypatch):
    config = {
        "input_size": (3, 28, 28),
        "crop_pct": 0.875,
        "crop_mode": "center",
        "interpolation": "bicubic",
        "mean": MEAN,
        "std": STD,
        "num_classes": 3,
        "license": "apache-2.0",
    }

    def create_model(name, pretrained=False):
        assert pretrained
        if name != "tiny.in3":
            raise RuntimeError(f"Unknown model ({name})")
        network = small_network()
        network.pretrained_cfg = config
        return network

    fake, data = ModuleType("timm"), ModuleType("timm.data")
    fake.create_model = create_model
    data.infer_imagenet_subset = lambda network: "imagenet-3"
    data.ImageNetInfo = lambda subset: SimpleNamespace(
        num_classes=lambda: 3, index_to_description=lambda index: ("tench", "shark", "ray")[index]
    )
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setitem(sys.modules, "timm.data", data)
    return config


@pytest.fixture
def torchvision(monkeypatch, tmp_path):
    class Interpolation(Enum):
        BILINEAR = "bilinear"

    preset = SimpleNamespace(
        crop_size=[24], resize_size=[32], mean=list(MEAN), std=list(STD), interpolation=Interpolation.BILINEAR
    )

    class Weights(Enum):
        V1 = "one"
        DEFAULT = "one"  # noqa: PIE796  # an alias, as there

        url = property(lambda self: "https://download.example/tiny-1.pth")
        meta = property(lambda self: {"categories": ["cat", "dog", "owl"]})

        def transforms(self):
            return preset

    def get_model_weights(name):
        if name != "tiny":
            raise ValueError(f"Unknown model {name}")
        return Weights

    fake = ModuleType("torchvision")
    fake.models = SimpleNamespace(
        get_model_weights=get_model_weights, get_model=lambda name, weights: small_network() if weights else None
    )
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return preset


def test_a_network_of_timm_is_exported_with_its_own_preprocessing(timm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = edgevision.export("timm:tiny.in3")
    assert (report.model, report.metadata.name, report.metadata.licence) == ("tiny.onnx", "tiny.in3", "apache-2.0")
    assert report.metadata.image == ImageSpec(
        size=(28, 28), resample=Resample.BICUBIC, mean=MEAN, std=STD, crop_share=0.875
    )
    assert report.metadata.spec.labels == ("tench", "shark", "ray")
    with edgevision.load("tiny.onnx") as classify:
        picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
        scaled = picture.resize((48, 32), Image.Resampling.BICUBIC).crop((10, 2, 38, 30))
        pixels = (np.asarray(scaled, np.float32) / 255 - MEAN) / np.array(STD)
        expected = small_network().eval()(torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32)))
        np.testing.assert_allclose(classify(picture).probabilities, expected.softmax(1)[0].detach(), atol=5e-3)


def test_what_the_user_says_counts_for_more(timm, tmp_path):
    report = edgevision.export(
        "timm:tiny.in3",
        tmp_path / "own.onnx",
        metadata={"image": {"mean": [0.5, 0.5, 0.5]}, "spec": {"labels": ["a", "b", "c"]}},
    )
    assert (report.metadata.image.mean, report.metadata.image.std) == ((0.5, 0.5, 0.5), STD)
    assert report.metadata.spec.labels == ("a", "b", "c")


@pytest.mark.parametrize("name", ["torchvision:tiny", "torchvision:tiny@V1"])
def test_a_network_of_torchvision_has_the_preset_of_its_weights(torchvision, name):
    made = read_library_network(library_reference(name))
    assert made.input_shape == (1, 3, 24, 24)
    assert made.metadata["image"]["crop_share"] == 0.75
    assert made.metadata["image"]["resample"] == "bilinear"
    assert made.metadata["spec"]["labels"] == ["cat", "dog", "owl"]
    assert not made.checkpoint.network.training


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("torchvision:huge", "cannot be made by torchvision: Unknown model huge"),
        ("torchvision:tiny@V9", "cannot be made by torchvision: 'V9'"),
    ],
)
def test_what_the_library_does_not_know_is_said_in_its_words(torchvision, name, rule):
    with pytest.raises(InputError, match=rule):
        read_library_network(library_reference(name))


def test_a_network_that_is_no_classifier_is_refused(torchvision):
    del torchvision.crop_size
    with pytest.raises(InputError, match="is no classifier"):
        read_library_network(library_reference("torchvision:tiny"))


def test_offline_only_what_the_library_has_already(torchvision, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEVISION_OFFLINE", "1")
    with pytest.raises(InputError, match="EDGEVISION_OFFLINE forbids to fetch it"):
        read_library_network(library_reference("torchvision:tiny"))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/tiny-1.pth").touch()
    assert read_library_network(library_reference("torchvision:tiny"))


def test_a_library_that_is_absent_or_broken_is_said_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        DeviceError, match=r"timm is not installed: .*install timm.*; torchvision has to be the one for"
    ):
        read_library_network(library_reference("timm:tiny"))
    with pytest.raises(
        DeviceError, match=r"cannot be imported: operator torchvision::nms does not exist; torchvision has"
    ):
        read_library_network(library_reference("torchvision:tiny"))


def test_such_a_network_is_no_model_file():
    with pytest.raises(InputError, match="edgevision export timm:tiny makes one of it"):
        edgevision.load("timm:tiny")


def test_a_share_of_the_crop_is_the_middle_of_a_larger_one():
    spec = ImageSpec(size=(20, 30), crop_share=0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    small = np.asarray(resize(Image.fromarray(pixels), spec))
    np.testing.assert_array_equal(small, pixels[30:50, 15:45])
    assert placement(60, 80, spec) == ((1.0, 1.0), (-15.0, -30.0))
    assert resize(Image.fromarray(pixels[:20, :30]), spec).size == (30, 20)
    assert (np.asarray(resize(Image.fromarray(pixels[:20, :30]), spec)) != pixels[:20, :30]).any()
    with pytest.raises(ValueError, match="crop_share is a share"):
        ImageSpec(size=(2, 2), resize=Resize.CROP, crop_share=0)
