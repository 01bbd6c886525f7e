"""The settings of restoration: what cannot work is refused where it is given."""

import json
from typing import Any

import pytest

from edgevision.core.errors import InputError
from edgevision.models import RESTORERS
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.settings import (
    RESTORATION_DEFAULTS,
    ClassifierSettings,
    LossTerm,
    RestorationSettings,
    TrainingSettings,
)


def settings(**changes: Any) -> RestorationSettings:
    plain: dict[str, Any] = {"kind": "denoise", "data": ("photographs",), "model": "denoise_unet"}
    return RestorationSettings(**(plain | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch-size must be positive, not 0"),
        ({"learning_rate": 0.0}, "learning-rate must be positive"),
        ({"devices": 0}, "devices must be positive"),
        ({"nodes": -1}, "nodes must be positive"),
        ({"steps": 0}, "steps must be positive"),
        ({"validate_every": 0}, "validate-every must be positive"),
        ({"crop": -8}, "crop must be positive"),
        ({"steps": 5, "validate_every": 2}, "steps must be a multiple of validate-every 2, not 5"),
        ({"steps": 1, "validate_every": 3}, "steps must be a multiple of validate-every 3, not 1"),
        ({"ema": 1.0}, r"ema must be at least 0 and less than 1, not 1\.0; usual is 0\.999"),
        ({"ema": -0.1}, "ema must be"),
        ({"zoom": 0.0}, "zoom must lie"),
        ({"zoom": 1.1}, "zoom must lie"),
        ({"gray": -0.1}, "gray must lie"),
        ({"gray": 1.5}, "gray must lie"),
        ({"kind": "inpaint", "noise": "white"}, "--noise is for denoise and upscale, not for inpaint"),
        ({"sigma": (20.0, 10.0)}, r"sigma is the least and the greatest noise, not \(20\.0, 10\.0\)"),
        ({"sigma": (-1.0, 10.0)}, "sigma is the least"),
        ({"sigma": (float("nan"), 10.0)}, "sigma is the least"),
        ({"loss": {}}, "a loss is a positive weight for some of l1, l2, psnr, ssim, edge, colors, perceptual"),
        ({"loss": {"l3": 1.0}}, "a loss is a positive weight .*'l3'"),
        ({"loss": {"l1": 1.0, "ssim": 0.0}}, "a loss is a positive weight"),
        ({"loss": {"l1": float("nan")}}, "a loss is a positive weight"),
        ({"loss": {"l1": 1.0, "psnr": float("inf")}}, "a loss is a positive weight"),
        ({"loss": {"perceptual": 1.0}}, "the perceptual loss needs the checkpoint of a classifier: --perceptual-model"),
        ({"loss": {"colors": 1.0}}, "the loss of colorize is colors=1, which no other kind has; denoise has"),
        ({"kind": "colorize"}, "the loss of colorize is colors=1, .* colorize has {'l1': 1.0}"),
        ({"kind": "colorize", "loss": {"colors": 1.0, "l1": 1.0}}, "the loss of colorize is colors=1"),
        ({"scale": 4, "crop": 66}, "crop must be a multiple of the scale 4, not 66"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changes)


@pytest.mark.parametrize(
    "changes", [{"ema": 0.0}, {"zoom": 1.0}, {"gray": 1.0}, {"sigma": (25.0, 25.0)}, {"warmup": 0}]
)
def test_the_ends_of_the_ranges_are_allowed(changes: dict[str, Any]) -> None:
    (name,) = changes
    assert getattr(settings(**changes), name) == changes[name]


def test_settings_survive_json() -> None:
    chosen = settings(
        kind=RestorationKind.UPSCALE,
        data=("a", "b.zip"),
        scale=2,
        loss={LossTerm.L1: 1.0, LossTerm.PERCEPTUAL: 0.1},
        perceptual_model="classifier.pt",
        model_options={"width": 8},
        sigma=(0.0, 25.0),
    )
    assert RestorationSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


def test_classifiers_and_restorers_share_their_common_settings() -> None:
    assert issubclass(ClassifierSettings, TrainingSettings)
    assert issubclass(RestorationSettings, TrainingSettings)
    for wrong in ({"devices": 0}, {"batch_size": -1}):
        with pytest.raises(InputError, match="must be positive"):
            ClassifierSettings(**wrong)


@pytest.mark.parametrize("kind", RESTORATION_DEFAULTS)
def test_the_defaults_of_every_kind_are_valid(kind: RestorationKind) -> None:
    defaults = RESTORATION_DEFAULTS[kind]
    assert defaults.model in RESTORERS
    chosen = settings(
        kind=kind,
        model=defaults.model,
        crop=defaults.crop,
        batch_size=defaults.batch_size,
        loss=defaults.loss,
        gray=defaults.gray,
    )
    assert chosen.crop % 16 == 0
