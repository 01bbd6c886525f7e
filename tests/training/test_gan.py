"""Training a generator against a discriminator, from settings to the checkpoint; a few steps on tiny pictures."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from training_runs import TINY_GENERATIVE, TRAINING_MARKS, assert_same_weights, history, train

from edgevision.core.errors import CollapseError, DatasetError, InputError, OutputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.models import (
    CifarResNet,
    DcganDiscriminator,
    DcganGenerator,
    MlpDiscriminator,
    MlpGenerator,
    build_model,
)
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.spec import LatentSpec
from edgevision.training import generation, generative_module
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.data import CropImages
from edgevision.training.gan import train_gan
from edgevision.training.gan_module import GanModule
from edgevision.training.generation import GenerativeTraining
from edgevision.training.run_folder import RunFolder
from edgevision.training.sample_quality import SampleQuality
from edgevision.training.settings import DiffAugment, GanLoss, GanSettings

pytestmark = TRAINING_MARKS

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A checkpoint of a classifier of the two classes that has not learned anything."""
    torch.manual_seed(0)
    metadata = ModelMetadata(
        task="classify", name="resnet20", spec=ClassificationSpec(labels=("cat", "dog")), image=ImageSpec(size=(8, 8))
    )
    path = tmp_path / "classifier.pt"
    save_checkpoint(
        path, build_model("resnet20", num_classes=2), metadata, model="resnet20", options={"num_classes": 2}
    )
    return path


def settings(data: Path | str, **changes: Any) -> GanSettings:
    return GanSettings(data=str(data), **(TINY_GENERATIVE | changes))


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def tiles(half: np.ndarray) -> np.ndarray:
    """The pictures of one half of a sheet, row by row."""
    return np.stack([half[y : y + 8, x : x + 8] for y in range(0, 78, 10) for x in range(0, 78, 10)])


# --- whole trainings ---


def test_a_conditional_generator_trains_to_a_checkpoint_that_explains_itself(
    tmp_path: Path, pictures: Path, classifier: Path
) -> None:
    chosen = settings(
        pictures, conditional=True, classifier=str(classifier), class_weight=0.5, steps=6, licence="CC0-1.0"
    )
    kept = train(train_gan, chosen, tmp_path / "run")
    metadata = read_checkpoint(tmp_path / "run" / "dcgan.pt").metadata
    assert metadata is not None
    assert (metadata.task, metadata.name, metadata.licence) == ("generate", "dcgan", "CC0-1.0")
    assert metadata.spec.labels == ("cat", "dog")
    assert metadata.spec.latent == LatentSpec(size=4)
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.inputs] == [
        ("latent", ("batch", 4), None),
        ("classes", ("batch", 2), (0, 1)),
    ]
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.outputs] == [
        ("image", ("batch", 3, 8, 8), (-1, 1))
    ]
    assert metadata.provenance.data == "pictures"
    assert metadata.provenance.versions.keys() >= {"edgevision", "torch", "lightning"}

    lines = history(tmp_path / "run")
    figures = {"classifier_frechet", "sample_precision", "sample_recall", "class_agreement", "variety"}
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(
        line.keys() == {"epoch", "train_loss", "seconds", *(f"val_{name}" for name in figures)} for line in lines
    )
    # What is kept is what the classifier finds nearest to real pictures, as the average over the steps.
    best = min(lines, key=lambda line: line["val_classifier_frechet"])
    assert metadata.quality == pytest.approx({f"val_{name}": best[f"val_{name}"] for name in figures}, abs=1e-3)
    state = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)["state_dict"]
    for name, tensor in kept["state_dict"].items():
        assert torch.equal(tensor, state[f"averaged.module.{name}"]), name
    # The classifier is not in the files.
    assert {name.split(".")[0] for name in state} == {"network", "discriminator", "averaged"}

    # A finished training is not repeated by accident.
    with pytest.raises(OutputError, match="finished already; --force"):
        train_gan(chosen, tmp_path / "run", quiet=True)


def test_sheets_show_the_kept_network_beside_real_pictures(tmp_path: Path, pictures: Path) -> None:
    kept = train(train_gan, settings(pictures), tmp_path / "run")
    folder = tmp_path / "run" / "samples"
    assert sorted(path.name for path in folder.iterdir()) == ["0001.png", "0002.png"]
    sheet = pixels_of(folder / "0002.png")
    assert sheet.shape == (78, 78 + 16 + 78, 3)
    assert (sheet[:, 78:94] == 255).all()

    generator = DcganGenerator(image_size=8, width=8, latent=4).eval()
    generator.load_state_dict(kept["state_dict"])
    with torch.inference_mode():
        samples = generator(torch.randn(64, 4, generator=torch.Generator().manual_seed(0)))
    expected = ((samples + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(tiles(sheet[:, :78]), expected, atol=1)
    assert expected.std() > 1

    shown = {picture.tobytes() for picture in tiles(sheet[:, 94:])}
    held_out = {pixels_of(path).tobytes() for path in (pictures / "val").rglob("*.png")}
    assert len(held_out) == 60
    assert len(shown & held_out) > 50
    assert not shown & {pixels_of(path).tobytes() for path in (pictures / "train").rglob("*.png")}


def test_the_last_weights_are_kept_where_nothing_judges(tmp_path: Path, pictures: Path) -> None:
    kept = train(train_gan, settings(pictures), tmp_path / "run")["state_dict"]
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["state_dict"]
    for name, tensor in kept.items():
        assert torch.equal(tensor, state[f"averaged.module.{name}"]), name
    # It is an average, and not the weights of the last step.
    assert any(not torch.equal(tensor, state[f"network.{name}"]) for name, tensor in kept.items())
    assert [line.keys() for line in history(tmp_path / "run")] == [
        {"epoch", "train_loss", "val_variety", "seconds"}
    ] * 2


def test_an_interrupted_training_is_resumed_to_the_same_bits(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that is random: latents, flips, augmentations, dropout.
    chosen = settings(
        pictures, steps=6, loss=GanLoss.BCE, augment=tuple(DiffAugment), flip=True, dropout=0.3, spectral_norm=True
    )
    whole = train(train_gan, chosen, tmp_path / "whole")
    record = RunFolder.record

    def interrupt(self: RunFolder, epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 3:
            raise KeyboardInterrupt
        record(self, epoch)

    folder = tmp_path / "interrupted"
    monkeypatch.setattr(RunFolder, "record", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_gan(chosen, folder, quiet=True)
    monkeypatch.setattr(RunFolder, "record", record)
    assert not (folder / "dcgan.pt").exists()
    assert [line["epoch"] for line in history(folder)] == [1, 2]

    with pytest.raises(InputError, match="unfinished training with seed 0, not 1"):
        train_gan(chosen.updated(seed=1), folder, quiet=True)
    assert_same_weights(train(train_gan, chosen, folder), whole)
    assert [line["epoch"] for line in history(folder)] == [1, 2, 3]
    # Not only the average: both networks, and what their optimisers remember.
    resumed, reference = (torch.load(run / "last.ckpt", weights_only=False) for run in (folder, tmp_path / "whole"))
    assert resumed["global_step"] == reference["global_step"]
    for name, tensor in reference["state_dict"].items():
        assert torch.equal(tensor, resumed["state_dict"][name]), name
    np.testing.assert_array_equal(*(pixels_of(run / "samples/0003.png") for run in (folder, tmp_path / "whole")))


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path, pictures: Path) -> None:
    first, second, other = (
        train(train_gan, settings(pictures, steps=2, augment=tuple(DiffAugment), seed=seed), tmp_path / name)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert_same_weights(first, second)
    assert not torch.equal(first["state_dict"]["dense.weight"], other["state_dict"]["dense.weight"])


def test_a_texture_is_learned_from_crops_of_one_picture(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_MOST_VALIDATED", 64)
    (tmp_path / "wall").mkdir()
    (tmp_path / "wall/a.png").write_bytes((photographs / "000.png").read_bytes())
    options = {"width": 4, "latent": 3, "doublings": 2}
    train(
        train_gan, settings(tmp_path / "wall", model="texture", image_size=16, model_options=options), tmp_path / "run"
    )
    metadata = read_checkpoint(tmp_path / "run" / "texture.pt").metadata
    assert metadata is not None
    assert metadata.spec.latent == LatentSpec(size=3, pixels=4)
    assert metadata.inputs[0].shape == ("batch", 3, "height", "width")
    assert metadata.outputs[0].shape == ("batch", 3, "4*height", "4*width")
    assert metadata.spec.labels == ()


def test_only_the_network_that_is_updated_changes(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = GanModule._update
    updated: list[str] = []

    def weights(network: nn.Module) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in network.parameters()]

    def watched(self: GanModule, optimizer: Any, compute: Callable[[], Tensor]) -> None:
        before = weights(self.network), weights(self.discriminator)
        update(self, optimizer, compute)
        changed = [
            any(not torch.equal(now, old) for now, old in zip(weights(network), earlier, strict=True))
            for network, earlier in zip((self.network, self.discriminator), before, strict=True)
        ]
        updated.append({(True, False): "generator", (False, True): "discriminator"}.get(tuple(changed), "wrong"))
        # Neither is left frozen.
        assert all(
            parameter.requires_grad for parameter in (*self.network.parameters(), *self.discriminator.parameters())
        )

    monkeypatch.setattr(GanModule, "_update", watched)
    train(train_gan, settings(pictures, steps=4, sample_every=4, d_steps=2), tmp_path / "run")
    assert updated == ["discriminator", "generator", "discriminator"] * 2


# --- what goes wrong on the way ---


@pytest.mark.parametrize("count", [1, 2, 3, 12, 70])
@pytest.mark.parametrize("judged", [False, True])
def test_any_number_of_pictures_is_learned_from_or_refused_before_the_first_step(
    tmp_path: Path, write_class_folders, classifier: Path, count: int, judged: bool
) -> None:
    root = write_class_folders(tmp_path / "few", {"cat": count})
    chosen = settings(root, steps=2, classifier=str(classifier) if judged else None)
    if count < (4 if judged else 3):
        with pytest.raises(DatasetError, match="too few to train on two and hold out"):
            train_gan(chosen, tmp_path / "run", quiet=True)
        return
    train(train_gan, chosen, tmp_path / "run")
    sheet = pixels_of(tmp_path / "run" / "samples" / "0001.png")
    assert sheet.shape == (78, 78 + 16 + 78, 3)
    held_out = max(2 if judged else 1, round(count * 0.1))
    # White is where there is no picture.
    assert (tiles(sheet[:, 94:]) != 255).any(axis=(1, 2, 3)).sum() == held_out


def test_neither_a_sheet_nor_a_figure_can_cost_the_training(
    tmp_path: Path, pictures: Path, classifier: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(SampleQuality, "compute", fail)
    monkeypatch.setattr(generative_module, "contact_sheet", fail)
    kept = train(train_gan, settings(pictures, steps=6, classifier=str(classifier)), tmp_path / "run")
    assert caplog.text.count("there are no sheets of samples (out of luck)") == 1
    assert caplog.text.count("there are no figures (out of luck)") == 1
    assert [line["val_classifier_frechet"] for line in history(tmp_path / "run")] == [None] * 3
    # Where nothing could be judged, the last weights are the best.
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in kept["state_dict"].items():
        assert torch.equal(tensor, last[f"averaged.module.{name}"]), name


def test_the_checkpoint_is_stored_before_the_sheet_is_drawn(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[bool] = []
    monkeypatch.setattr(GanModule, "show", lambda module: stored.append((tmp_path / "run" / "last.ckpt").is_file()))
    train(train_gan, settings(pictures), tmp_path / "run")
    assert stored == [True, True]


def test_two_processes_train_one_generator(tmp_path: Path, pictures: Path) -> None:
    words = ["--data", pictures, "-o", tmp_path / "run", "--model-options", '{"width": 8, "latent": 4}', "--quiet"]
    words += ["--steps", 4, "--sample-every", 2, "--batch-size", 4, "--workers", 0, "--devices", 2]
    done = subprocess.run(
        [sys.executable, "-m", "edgevision", "train", "gan", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if "RANK" not in name},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'run' / 'dcgan.pt'}\n"
    assert [line["epoch"] for line in history(tmp_path / "run")] == [1, 2]


def test_a_damaged_last_checkpoint_is_resumed_from_the_one_before(tmp_path: Path, pictures: Path) -> None:
    chosen = settings(pictures, steps=6)
    whole = train(train_gan, chosen, tmp_path / "run")
    (tmp_path / "run" / "dcgan.pt").unlink()
    last = tmp_path / "run" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    assert_same_weights(train(train_gan, chosen, tmp_path / "run"), whole)
    assert [line["epoch"] for line in history(tmp_path / "run")] == [1, 2, 3, 3]


def test_a_loss_that_is_no_number_ends_the_training_with_1(edgevision: Call, tmp_path: Path, pictures: Path) -> None:
    code, out, err = edgevision(
        *("train", "gan", "--data", pictures, "-o", tmp_path / "run", "--model-options", '{"width": 8, "latent": 4}'),
        *("--steps", 6, "--sample-every", 3, "--batch-size", 4, "--workers", 0, "--quiet"),
        *("--learning-rate", 1e30, "--no-spectral-norm"),
    )
    assert (code, out) == (1, "")
    assert "error: the training collapsed: the loss is " in err
    assert "try a lower --learning-rate" in err
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "dcgan.pt").exists()


def test_samples_that_are_all_alike_end_the_training(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generative_module, "_STEPS_OF_GRACE", 4)
    draw = MlpGenerator.forward
    monkeypatch.setattr(MlpGenerator, "forward", lambda self, latent: draw(self, torch.zeros_like(latent)))
    chosen = settings(pictures, model="mlp_gan", model_options={"hidden": [8], "latent": 4}, steps=6)
    with pytest.raises(
        CollapseError, match=r"collapsed: after 4 steps the samples vary 0\.0 % as much as real"
    ) as error:
        train_gan(chosen, tmp_path / "run", quiet=True)
    assert error.value.exit_code == 1
    # What it looks like is there to be seen, and the step before to be resumed.
    sheet = pixels_of(tmp_path / "run" / "samples" / "0002.png")
    assert len(np.unique(tiles(sheet[:, :78]), axis=0)) == 1
    assert (tmp_path / "run" / "last.ckpt").is_file()
    assert not (tmp_path / "run" / "mlp_gan.pt").exists()


def test_the_first_steps_may_look_alike(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = MlpGenerator.forward
    monkeypatch.setattr(MlpGenerator, "forward", lambda self, latent: draw(self, torch.zeros_like(latent)))
    train(train_gan, settings(pictures, model="mlp_gan", model_options={"hidden": [8], "latent": 4}), tmp_path / "run")


# --- the steps ---


def tiny_module(folder: Path, classifier: ClassifierFeatures | None = None, **changes: Any) -> GanModule:
    torch.manual_seed(0)
    generator = DcganGenerator(image_size=8, width=8, latent=4, num_classes=3)
    discriminator = DcganDiscriminator(image_size=8, width=8, num_classes=3)
    chosen = settings("pictures", conditional=True, classifier="a.pt", **changes)
    return GanModule(generator, discriminator, chosen, folder, latent_shape=(4,), num_classes=3, classifier=classifier)


def test_classes_are_drawn_in_turn_by_the_average(tmp_path: Path) -> None:
    module = tiny_module(tmp_path)
    images, classes = module.sample(7, torch.Generator().manual_seed(3))
    assert classes is not None
    assert classes.tolist() == [0, 1, 2, 0, 1, 2, 0]
    latent = torch.randn(7, 4, generator=torch.Generator().manual_seed(3))
    expected = module.averaged.module(latent, torch.eye(3)[[0, 1, 2, 0, 1, 2, 0]])
    torch.testing.assert_close(images, expected)
    with torch.no_grad():
        for parameter in module.network.parameters():
            parameter.add_(1)
    torch.testing.assert_close(module.sample(7, torch.Generator().manual_seed(3))[0], expected)


@pytest.mark.parametrize(
    ("ema", "shares"), [(0.999, [2 / 11, 3 / 12, 4 / 13]), (0.2, [2 / 11, 0.2, 0.2]), (0.0, [0] * 3)]
)
def test_the_average_forgets_the_first_steps_sooner(tmp_path: Path, ema: float, shares: list[float]) -> None:
    module = tiny_module(tmp_path, ema=ema)
    weight, averaged = module.network.dense.weight, module.averaged.module.dense.weight
    expected = 0.0
    for value, share in zip((0.0, 1.0, 3.0, 2.0), (0, *shares), strict=True):
        with torch.no_grad():
            weight.fill_(value)
        module.average()
        expected = share * expected + (1 - share) * value
        assert averaged[0, 0].item() == pytest.approx(expected, abs=1e-6)


def test_the_statistics_of_the_average_are_the_networks(tmp_path: Path) -> None:
    module = tiny_module(tmp_path)
    module.network(torch.randn(8, 4), torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]])
    module.average()
    for name, buffer in module.network.named_buffers():
        assert torch.equal(dict(module.averaged.module.named_buffers())[name], buffer), name


@pytest.mark.parametrize("flip", [False, True])
def test_pictures_lie_in_minus_1_to_1_and_may_be_mirrored(tmp_path: Path, flip: bool) -> None:
    batch = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8).repeat(40, 1, 1, 1)
    batch[:, :, 0, 0], batch[:, :, 0, 7] = 0, 255
    images = tiny_module(tmp_path, flip=flip).pictures(batch)
    plain = batch.float() / 127.5 - 1
    assert (images.min(), images.max()) == (-1, 1)
    same = [torch.equal(image, original) for image, original in zip(images, plain, strict=True)]
    mirrored = [torch.equal(image, original.flip(2)) for image, original in zip(images, plain, strict=True)]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert (5 < sum(mirrored) < 35) if flip else not any(mirrored)


def test_the_class_loss_is_the_classifiers_cross_entropy_for_half_of_the_batch(tmp_path: Path) -> None:
    labels = torch.tensor([2, 0, 1, 2, 0, 1])
    classes = F.one_hot(labels, 3).float()
    metadata = ModelMetadata(task="classify", name="resnet8", image=ImageSpec(size=(8, 8)))
    torch.manual_seed(1)
    features = ClassifierFeatures(CifarResNet(blocks=1, num_classes=3), metadata)
    losses = []
    for classifier in (None, features):
        module = tiny_module(tmp_path, classifier, class_weight=2.0)
        torch.manual_seed(7)
        losses.append(module._generator_loss(labels, classes).item())
    module = tiny_module(tmp_path)
    torch.manual_seed(7)
    fake = module.network(torch.randn(6, 4), classes)
    expected = 2 * F.cross_entropy(features((fake[:3] + 1) / 2).logits, labels[:3])
    assert losses[1] - losses[0] == pytest.approx(expected.item(), rel=1e-4)
    assert expected.item() > 0.1


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_the_wasserstein_loss_has_its_penalty(tmp_path: Path, weight: float) -> None:
    chosen = settings("pictures", loss=GanLoss.WGAN_GP, gradient_penalty=weight)
    generator, discriminator = MlpGenerator(latent=4, hidden=(8,), image_size=8), nn.Flatten()
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1, bias=False), nn.Flatten(0))
    module = GanModule(generator, discriminator, chosen, tmp_path, latent_shape=(4,))
    real, fake = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8)
    slope = discriminator[1].weight.norm().item()
    expected = (discriminator(fake).mean() - discriminator(real).mean()).item() + weight * (slope - 1) ** 2
    assert module._discriminator_loss(real, fake, None).item() == pytest.approx(expected, rel=1e-4)


def test_both_networks_see_pictures_that_are_varied_alike(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    class Watched(MlpDiscriminator):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image.detach())
            return super().forward(image)

    chosen = settings("pictures", augment=(DiffAugment.CUTOUT,))
    generator = MlpGenerator(latent=4, hidden=(8,), image_size=8)
    module = GanModule(generator, Watched(hidden=(8,), image_size=8), chosen, tmp_path, latent_shape=(4,))
    light = torch.full((6, 1, 8, 8), 0.5)
    module._discriminator_loss(light, light, None)
    module._generator_loss(torch.zeros(6), None)
    assert len(seen) == 3
    for images in seen:
        assert ((images == -1).flatten(1).sum(dim=1) >= 4).all()


# --- what is learned from ---


def image_of(data: Path | str, folder: Path, **changes: Any) -> ImageSpec:
    return GenerativeTraining(settings(data, **changes), folder / "run").image


def test_size_and_colour_come_from_the_data(tmp_path: Path, pictures: Path, photographs: Path) -> None:
    own = image_of(pictures, tmp_path)
    assert (own.size, own.color, own.value_range) == ((8, 8), Color.RGB, (-1, 1))
    large = image_of(photographs, tmp_path)
    assert large.size == (64, 64)
    digits = image_of("digits", tmp_path)
    assert (digits.size, digits.color) == ((28, 28), Color.GRAY)
    asked = image_of(pictures, tmp_path, image_size=16, color=Color.GRAY)
    assert (asked.size, asked.color) == ((16, 16), Color.GRAY)
    assert not (tmp_path / "run").exists()


def test_crops_are_taken_anywhere_at_the_pictures_own_scale(photographs: Path) -> None:
    from edgevision.data.datasets import ImageFolder

    source, spec = ImageFolder(photographs), ImageSpec(size=(16, 16))
    crops = CropImages(source, spec, crops=5, seed=3)
    assert len(crops) == 5 * 12
    images, labels = crops[[0, 1, 5, 59]]
    assert (images.shape, images.dtype) == ((4, 3, 16, 16), torch.uint8)
    assert labels.tolist() == [-1] * 4
    for crop, index in zip(images, (0, 0, 1, 11), strict=True):
        whole = torch.from_numpy(np.array(source.image(index))).permute(2, 0, 1)
        windows = whole.unfold(1, 16, 1).unfold(2, 16, 1)
        assert (windows == crop[:, None, None]).all(dim=0).flatten(2).all(dim=2).any()
    assert torch.equal(crops[[5]][0], images[2:3])
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(CropImages(source, spec, crops=5, seed=4)[[0]][0], images[:1])


def test_a_picture_smaller_than_a_crop_is_refused(tmp_path: Path, pictures: Path) -> None:
    chosen = settings(pictures, model="texture", image_size=16, model_options={"width": 4})
    with pytest.raises(DatasetError, match="picture 0 of the training data is 8x8, smaller than the --image-size 16"):
        train_gan(chosen, tmp_path / "run", quiet=True)


# --- what is refused ---


def test_classes_need_class_folders(tmp_path: Path, photographs: Path) -> None:
    with pytest.raises(DatasetError, match="0 class folders; --conditional needs two or more"):
        train_gan(settings(photographs, conditional=True), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_classifier_of_other_classes_cannot_weigh(tmp_path: Path, classifier: Path, write_class_folders) -> None:
    data = write_class_folders(tmp_path / "birds", {"emu": 4, "owl": 4})
    chosen = settings(data, conditional=True, classifier=str(classifier), class_weight=1.0)
    with pytest.raises(InputError, match="--class-weight needs a classifier of the same classes as the data"):
        train_gan(chosen, tmp_path / "run", quiet=True)


def test_a_classifier_of_another_kind_cannot_judge(tmp_path: Path, pictures: Path) -> None:
    metadata = ModelMetadata(task="classify", name="cnn3", image=ImageSpec(size=(8, 8)))
    network = build_model("cnn3", image_size=8)
    save_checkpoint(tmp_path / "cnn.pt", network, metadata, model="cnn3", options={"image_size": 8})
    with pytest.raises(InputError, match="comparing features needs a residual network"):
        train_gan(settings(pictures, classifier=str(tmp_path / "cnn.pt")), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be positive, not 0"),
        ({"sample_every": 0}, "sample-every must be positive, not 0"),
        ({"steps": 5, "sample_every": 2}, "steps must be a multiple of sample-every 2, not 5"),
        ({"batch_size": 1}, "batch-size must be at least 2, not 1"),
        ({"learning_rate": 0.0}, "learning-rate must be positive"),
        ({"ema": 1.0}, r"ema must be at least 0 and less than 1, not 1\.0; usual is 0\.999"),
        ({"ema": -0.1}, "ema must be"),
        ({"d_steps": 0}, "d-steps must be positive"),
        ({"discriminator_rate": -1.0}, "discriminator-rate must be positive"),
        ({"label_smoothing": 1.0}, "label-smoothing must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"gradient_penalty": -1.0}, r"gradient-penalty must not be negative, not -1\.0"),
        ({"class_weight": -1.0}, "class-weight must not be negative"),
        ({"class_weight": 1.0}, "class-weight needs --conditional and a classifier's checkpoint: --classifier"),
        ({"class_weight": 1.0, "conditional": True}, "class-weight needs --conditional and a classifier's"),
        ({"class_weight": 1.0, "classifier": "a.pt"}, "class-weight needs --conditional and a classifier's"),
        ({"seed": -1}, "seed must not be negative"),
        ({"color": Color.BGR}, "color must be rgb or gray, in which pictures are drawn, not bgr"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings("pictures", **changes)


def test_settings_survive_json() -> None:
    chosen = settings(
        "a", conditional=True, classifier="b.pt", class_weight=0.5, augment=(DiffAugment.COLOR,), color="gray"
    )
    assert GanSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


# --- the command line ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "resnet20"], "a GAN's model is one of mlp_gan, dcgan, residual_gan, texture, not 'resnet20'"),
        (["-m", "conv_vae"], "a GAN's model is one of mlp_gan, dcgan, residual_gan, texture, not 'conv_vae'"),
        (["-m", "mlp_gan", "--conditional"], "the model mlp_gan cannot be conditional; dcgan and residual_gan can"),
        (["-m", "texture", "--image-size", "24"], "image-size must be a multiple of 16, not 24"),
        (["--image-size", "36"], "image_size must be 4 to 8 times a power of two, as 28, 32 or 64, not 36"),
        (["--steps", "5", "--sample-every", "2"], "steps must be a multiple of sample-every 2, not 5"),
        (
            ["--class-weight", "1"],
            "class-weight needs --conditional and a classifier's checkpoint: --classifier NAME.pt",
        ),
        (["--classifier", "missing.pt"], "'missing.pt' does not exist"),
        (["--model-options", '{"depth": 3}'], "the model dcgan has no option 'depth'"),
        (["--model-options", "[1]"], "--model-options must be a JSON object"),
        (["--loss", "l1"], "'l1' is not one of"),
        (["--augment", "flip"], "'flip' is not one of"),
        (["--ema", "1"], "ema must be at least 0 and less than 1, not 1.0; usual is 0.999"),
        (["--data", "nowhere"], "'nowhere' does not exist"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_named_and_ends_with_2(
    edgevision: Call, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, out, err = edgevision("train", "gan", "--data", pictures, "-o", tmp_path / "run", *arguments)
    assert code == 2, err
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "run").exists()


def test_help_lists_the_options(edgevision: Call) -> None:
    code, out, _ = edgevision("train", "gan", "--help")
    assert code == 0
    for option in ("--conditional", "--loss", "--augment", "--classifier", "--class-weight", "--ema", "--sample-every"):
        assert option in out, option


def test_the_command_trains_and_prints_where_the_checkpoint_is(edgevision: Call, tmp_path: Path) -> None:
    code, out, err = edgevision(
        *("train", "gan", "--model", "mlp_gan", "--loss", "wgan-gp", "-o", tmp_path / "run"),
        *("--model-options", '{"hidden": [16], "latent": 8}', "--steps", 4, "--sample-every", 2, "--batch-size", 16),
        *("--augment", "translation", "--augment", "cutout", "--no-spectral-norm", "--d-steps", 2, "--seed", 3),
    )
    assert code == 0, err
    assert out == f"{tmp_path / 'run' / 'mlp_gan.pt'}\n"
    assert "epoch 2 of 2: loss" in err
    chosen = GanSettings.from_dict(json.loads((tmp_path / "run" / "settings.json").read_text()))
    assert (chosen.loss, chosen.augment) == (GanLoss.WGAN_GP, (DiffAugment.TRANSLATION, DiffAugment.CUTOUT))
    assert (chosen.spectral_norm, chosen.d_steps, chosen.seed, chosen.data) == (False, 2, 3, "digits")
    metadata = read_checkpoint(tmp_path / "run" / "mlp_gan.pt").metadata
    assert metadata is not None
    assert metadata.outputs[0].shape == ("batch", 1, 28, 28)
    assert metadata.spec.latent == LatentSpec(size=8)
    assert pixels_of(tmp_path / "run" / "samples" / "0001.png").ndim == 2
