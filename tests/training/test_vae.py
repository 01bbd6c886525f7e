"""Training a variational autoencoder from settings to the finished checkpoint; a few steps on tiny pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import TINY_GENERATIVE, TRAINING_MARKS, assert_same_weights, history, train

from edgevision.core.errors import InputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.modelfiles.metadata import Color, ImageSpec
from edgevision.models import ConvVae
from edgevision.runtime.tasks.generation.spec import LatentSpec
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import VaeSettings
from edgevision.training.vae import train_vae
from edgevision.training.vae_module import VaeModule

pytestmark = TRAINING_MARKS

Call = Callable[..., tuple[int, str, str]]


def settings(data: Path | str, **changes: Any) -> VaeSettings:
    return VaeSettings(data=str(data), **(TINY_GENERATIVE | changes))


def test_an_autoencoder_trains_to_a_checkpoint_that_explains_itself(tmp_path: Path, pictures: Path) -> None:
    kept = train(train_vae, settings(pictures, licence="CC0-1.0"), tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "conv_vae.pt")
    metadata = checkpoint.metadata
    assert metadata is not None
    assert (metadata.task, metadata.name, metadata.licence) == ("reconstruct", "conv_vae", "CC0-1.0")
    assert metadata.spec.latent == LatentSpec(size=4)
    assert metadata.image == ImageSpec(size=(8, 8), color=Color.RGB, value_range=(-1, 1))
    picture = ("batch", 3, 8, 8)
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.inputs] == [("image", picture, (-1, 1))]
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.outputs] == [
        ("restored_image", picture, (-1, 1)),
        ("code", ("batch", 4), None),
    ]
    assert metadata.provenance.data == "pictures"
    lines = history(tmp_path / "run")
    assert [line.keys() for line in lines] == [{"epoch", "train_loss", "val_variety", "seconds"}] * 2
    assert metadata.quality == pytest.approx({"val_variety": lines[-1]["val_variety"]}, abs=1e-3)

    # The average over the steps is kept, with both halves of the network.
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["state_dict"]
    for name, tensor in kept["state_dict"].items():
        assert torch.equal(tensor, state[f"averaged.module.{name}"]), name
    assert any(not torch.equal(tensor, state[f"network.{name}"]) for name, tensor in kept["state_dict"].items())
    assert {name.split(".")[0] for name in kept["state_dict"]} == {"encoder", "decoder"}

    # Samples are what its decoder makes of latents.
    with torch.inference_mode():
        latent = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
        samples = checkpoint.network.eval().decoder(latent)
    with Image.open(tmp_path / "run" / "samples" / "0002.png") as image:
        sheet = np.asarray(image)
    expected = ((samples[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    np.testing.assert_allclose(sheet[:8, :8], expected, atol=1)


def test_an_interrupted_training_is_resumed_to_the_same_bits(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(pictures, steps=6, flip=True)
    whole = train(train_vae, chosen, tmp_path / "whole")
    record = RunFolder.record

    def interrupt(self: RunFolder, epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 3:
            raise KeyboardInterrupt
        record(self, epoch)

    folder = tmp_path / "interrupted"
    monkeypatch.setattr(RunFolder, "record", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_vae(chosen, folder, quiet=True)
    monkeypatch.setattr(RunFolder, "record", record)
    assert not (folder / "conv_vae.pt").exists()
    with pytest.raises(InputError, match=r"unfinished training with beta 1\.0, not 2\.0"):
        train_vae(chosen.updated(beta=2.0), folder, quiet=True)
    assert_same_weights(train(train_vae, chosen, folder), whole)
    resumed, reference = (torch.load(run / "last.ckpt", weights_only=False) for run in (folder, tmp_path / "whole"))
    assert resumed["global_step"] == reference["global_step"] == 6
    for name, tensor in reference["state_dict"].items():
        assert torch.equal(tensor, resumed["state_dict"][name]), name


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path, pictures: Path) -> None:
    first, second, other = (
        train(train_vae, settings(pictures, steps=2, seed=seed), tmp_path / name)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert_same_weights(first, second)
    code = "encoder.mean.weight"
    assert not torch.equal(first["state_dict"][code], other["state_dict"][code])


def test_the_loss_falls(tmp_path: Path, pictures: Path) -> None:
    train(train_vae, settings(pictures, steps=60, sample_every=20), tmp_path / "run")
    losses = [line["train_loss"] for line in history(tmp_path / "run")]
    assert losses[2] < losses[1] < losses[0]


def test_a_loss_that_is_no_number_ends_the_training_with_1(edgevision: Call, tmp_path: Path, pictures: Path) -> None:
    code, out, err = edgevision(
        *("train", "vae", "--data", pictures, "-o", tmp_path / "run", "--model-options", '{"width": 8, "latent": 4}'),
        *("--steps", 6, "--sample-every", 3, "--batch-size", 4, "--learning-rate", 1e30, "--quiet"),
    )
    assert (code, out) == (1, "")
    assert "error: the training collapsed: the loss is " in err
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "conv_vae.pt").exists()


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_the_loss_is_the_bound_by_kingma_and_welling(tmp_path: Path, beta: float) -> None:
    """Kingma & Welling 2014, appendix B, and a Gaussian likelihood of unit variance without its constant."""
    torch.manual_seed(0)
    network = ConvVae(image_size=8, width=4, latent=3)
    module = VaeModule(network, settings("pictures", beta=beta), tmp_path, None)
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    torch.manual_seed(1)
    loss = module.training_step((images, torch.zeros(5)), 0)
    torch.manual_seed(1)
    real = images.float() / 127.5 - 1
    with torch.no_grad():
        output = network.sample(real)
    bound = 0.0
    for image, wanted, mean, log_variance in zip(output.image, real, output.mean, output.log_variance, strict=True):
        bound += 0.5 * float((image - wanted).square().sum())
        for m, v in zip(mean.tolist(), log_variance.tolist(), strict=True):
            bound -= beta * 0.5 * (1 + v - m**2 - float(np.exp(v)))
    assert loss.item() == pytest.approx(bound / 5, rel=1e-4)
    assert module.train_loss.compute().item() == pytest.approx(bound / 5, rel=1e-4)


def test_a_code_that_is_standard_normal_costs_nothing(tmp_path: Path) -> None:
    network = ConvVae(image_size=8, width=4, latent=3)
    with torch.no_grad():
        for layer in (network.encoder.mean, network.encoder.log_variance):
            layer.weight.zero_()
            layer.bias.zero_()
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    losses = []
    for beta in (1.0, 100.0):
        torch.manual_seed(1)
        module = VaeModule(network, settings("pictures", beta=beta), tmp_path, None)
        losses.append(module.training_step((images, torch.zeros(4)), 0).item())
    assert losses[0] == pytest.approx(losses[1])


def test_samples_are_decoded_latents_of_the_average(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = VaeModule(ConvVae(image_size=8, width=4, latent=3), settings("pictures"), tmp_path, None)
    images, classes = module.sample(5, torch.Generator().manual_seed(2))
    assert classes is None
    latent = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(images, module.averaged.module.decoder(latent))
    assert images.shape == (5, 3, 8, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": 0.0}, r"beta must be positive, not 0\.0"),
        ({"steps": 5, "sample_every": 2}, "steps must be a multiple of sample-every 2, not 5"),
        ({"batch_size": 1}, "batch-size must be at least 2, not 1"),
        ({"ema": 1.0}, "ema must be"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings("pictures", **changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "dcgan"], "a VAE's model is one of conv_vae, not 'dcgan'"),
        (["-m", "resnet20"], "a VAE's model is one of conv_vae, not 'resnet20'"),
        (["--image-size", "36"], "image_size must be 4 to 8 times a power of two"),
        (["--beta", "0"], "beta must be positive"),
        (["--model-options", '{"depth": 3}'], "the model conv_vae has no option 'depth'"),
        (["--classifier", "missing.pt"], "'missing.pt' does not exist"),
        (["--conditional"], "--conditional"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_named_and_ends_with_2(
    edgevision: Call, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, out, err = edgevision("train", "vae", "--data", pictures, "-o", tmp_path / "run", *arguments)
    assert code == 2, err
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "run").exists()


def test_the_command_trains_and_prints_where_the_checkpoint_is(
    edgevision: Call, pictures: Path, tmp_path: Path
) -> None:
    code, out, err = edgevision(
        *("train", "vae", "--data", pictures, "-o", tmp_path / "run", "--model-options", '{"width": 8, "latent": 4}'),
        *("--steps", 2, "--sample-every", 1, "--batch-size", 4, "--beta", 0.5, "--color", "gray", "--workers", 0),
    )
    assert code == 0, err
    assert out == f"{tmp_path / 'run' / 'conv_vae.pt'}\n"
    assert "epoch 2 of 2: loss" in err
    metadata = read_checkpoint(tmp_path / "run" / "conv_vae.pt").metadata
    assert metadata is not None
    assert metadata.image is not None
    assert metadata.image.color is Color.GRAY
    assert metadata.inputs[0].shape == ("batch", 1, 8, 8)
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["beta"] == 0.5
