"""Training a stylization network: a few steps on tiny pictures, and what its loss compares."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import TRAINING_MARKS, history, train

from edgevision.core.errors import InputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.imaging.patch_style import content_distance, patch_quantiles, style_distance
from edgevision.models import StyleNet
from edgevision.runtime.tasks.stylization.evaluation import painting_quantiles
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.training import photo_training
from edgevision.training.settings import StyleSettings
from edgevision.training.style_loss import StyleLoss
from edgevision.training.stylize import painting, train_stylizer

pytestmark = TRAINING_MARKS


@pytest.fixture
def paintings(tmp_path: Path) -> tuple[str, ...]:
    generator = np.random.default_rng(0)
    for name, color in (("wave", (20, 60, 160)), ("starry", (200, 180, 40))):
        pixels = (generator.random((40, 60, 1)) * color).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return str(tmp_path / "wave.png"), str(tmp_path / "starry.png")


def settings(data: Path, paintings: tuple[str, ...], **changes: Any) -> StyleSettings:
    tiny: dict[str, Any] = {
        "data": (str(data),),
        "styles": paintings,
        "model_options": {"width": 4, "blocks": 1},
        "style_size": 48,
        "crop": 32,
        "batch_size": 2,
        "steps": 4,
        "validate_every": 2,
        "warmup": 1,
        "ema": 0.5,
        "workers": 0,
    }
    return StyleSettings(**(tiny | changes))


def test_a_training_ends_in_a_checkpoint_that_knows_its_styles(
    tmp_path: Path, photographs: Path, paintings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_training, "VALIDATION_CROPS", 4)
    chosen = settings(photographs, paintings, licence="Apache-2.0")
    train(train_stylizer, chosen, tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "style_net.pt")
    metadata, network = checkpoint.metadata, checkpoint.network
    assert metadata is not None
    assert isinstance(network, StyleNet)
    assert (metadata.task, metadata.licence, network.styles) == ("stylize", "Apache-2.0", 2)
    spec = metadata.spec_as(StylizationSpec)
    assert spec.styles == ("wave", "starry")
    wanted = [patch_quantiles(painting(Path(path), 48)[0].permute(1, 2, 0).numpy()) for path in paintings]
    np.testing.assert_allclose(painting_quantiles(metadata), wanted, atol=1e-3)
    assert not network.residual
    assert [spec.name for spec in metadata.inputs] == ["image", "shares", "statistics"]
    assert metadata.inputs[2].shape == metadata.outputs[1].shape == ("batch", 2, network.channels)
    lines = history(tmp_path / "run")
    assert lines[0].keys() == {"epoch", "train_loss", "val_loss", "val_content", "val_style", "seconds"}
    assert metadata.quality["val_loss"] == pytest.approx(min(line["val_loss"] for line in lines), abs=1e-3)


def test_two_styles_of_one_name_or_none_are_refused(photographs: Path, paintings: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="two styles are called 'wave'"):
        settings(photographs, (paintings[0], "other/wave.jpg"))
    with pytest.raises(InputError, match="there is no style"):
        settings(photographs, ())


def pictures(count: int) -> list[torch.Tensor]:
    """float32 (1, 3, 128, 160), each of its own brightness, colour and grain."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for number in range(1, count + 1):
        grain = torch.randn(1, 3, 128, 160, generator=generator)
        made.append((torch.rand(1, 3, 1, 1, generator=generator) + 0.1 * number * grain).clamp(0, 1))
    return made


def test_nothing_is_lost_of_what_is_shown_or_painted_alike() -> None:
    painting, photo = pictures(2)
    loss = StyleLoss([painting, photo]).eval()
    first, second = torch.tensor([0]), torch.tensor([1])
    assert loss(photo, photo, first).content == 0
    assert loss(painting, photo, first).style < 0.02
    assert loss(painting, photo, second).style > 0.2
    assert loss(painting, photo, first).content > 0.05


def test_the_loss_is_the_distance_that_a_model_is_judged_by() -> None:
    painting, photo = pictures(2)
    loss = StyleLoss([painting], filters=16).eval()(photo, painting, torch.tensor([0]))
    made, wanted = (each[0].permute(1, 2, 0).numpy() for each in (photo, painting))
    assert loss.style.item() == pytest.approx(style_distance(patch_quantiles(made), patch_quantiles(wanted)), rel=0.3)
    assert loss.content.item() == pytest.approx(content_distance(made, wanted), rel=1e-3)


def test_a_step_of_the_loss_draws_its_filters() -> None:
    painting, photo = pictures(2)
    loss = StyleLoss([painting], filters=8)
    drawn = [loss.train()(photo, photo, torch.tensor([0])).style.item() for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_given_statistics_take_the_place_of_the_pictures_own() -> None:
    torch.manual_seed(0)
    network = StyleNet(styles=2, width=4, blocks=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        image, shares = torch.rand(1, 3, 32, 48), torch.tensor([[0.3, 0.7]])
        none = torch.zeros(1, 2, network.channels)
        painted, own = network(image, shares, none)
        torch.testing.assert_close(network(image, shares, own)[0], painted)
        left, _ = network(image[..., :24], shares, own)
        # Far from the cut a part of the picture is painted as in the whole.
        torch.testing.assert_close(left[..., :4], painted[..., :4], rtol=1e-3, atol=0.05)
        assert (network(image[..., :24], shares, none)[0] - left).abs().max() > 1e-3
        other = network(image, torch.tensor([[1.0, 0.0]]), none)[0]
    assert (other - painted).abs().max() > 1e-3


def test_an_untrained_network_returns_its_input() -> None:
    network = StyleNet(styles=1)
    image = torch.rand(2, 3, 16, 20)
    assert not torch.equal(
        StyleNet(residual=False)(image, torch.ones(2, 1), torch.zeros(2, 2, network.channels))[0], image
    )
    painted, own = network(image, torch.ones(2, 1), torch.zeros(2, 2, network.channels))
    assert torch.equal(painted, image)
    assert own.shape == (2, 2, network.channels)
