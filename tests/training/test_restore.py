"""Training a restoration network from settings to the finished checkpoint; a few steps on tiny pictures."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training_runs import TRAINING_MARKS, assert_same_weights, history, train

from edgevision.core.errors import CheckpointError, CollapseError, DatasetError, InputError, OutputError
from edgevision.data.noise_kinds import NoiseKind
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Resize, TileSpec
from edgevision.models import RestorationUNet, build_model
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationKind, RestorationSpec
from edgevision.training import photo_training
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.color_module import ColorModule
from edgevision.training.crop_batches import crop_loader
from edgevision.training.photo_crops import Photos
from edgevision.training.restoration_data import DamagedCrops
from edgevision.training.restoration_module import RestorationModule
from edgevision.training.restore import train_restorer
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import RESTORATION_DEFAULTS, RestorationSettings

pytestmark = TRAINING_MARKS

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_training, "VALIDATION_CROPS", 4)


_OPTIONS: dict[str, dict[str, Any]] = {
    "upscale": {"width": 8},
    "brighten": {"width": 8},
    "colorize": {"widths": [4, 8], "blocks": [1, 1]},
}


def settings(data: Path, kind: RestorationKind, **changes: Any) -> RestorationSettings:
    tiny: dict[str, Any] = {
        "kind": kind,
        "data": (str(data),),
        "model": RESTORATION_DEFAULTS[kind].model,
        "model_options": _OPTIONS.get(kind, {}),
        "loss": RESTORATION_DEFAULTS[kind].loss if kind == "colorize" else {"l1": 1.0},
        "scale": 2 if kind == "upscale" else 1,
        "crop": 32,
        "batch_size": 2,
        "steps": 4,
        "validate_every": 2,
        "warmup": 1,
        "ema": 0.5,
        "workers": 0,
    }
    return RestorationSettings(**(tiny | changes))


@pytest.mark.parametrize("kind", RESTORATION_DEFAULTS)
def test_every_kind_trains_to_a_checkpoint_that_explains_itself(
    tmp_path: Path, photographs: Path, kind: RestorationKind
) -> None:
    chosen = settings(photographs, kind, licence="Apache-2.0")
    train(train_restorer, chosen, tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / f"{chosen.model}.pt")
    metadata = checkpoint.metadata
    assert metadata is not None
    assert metadata.image is not None

    assert (metadata.task, metadata.name, metadata.licence) == (kind, chosen.model, "Apache-2.0")
    second = "chroma" if kind == "colorize" else "ssim"
    assert metadata.quality.keys() == {"val_psnr", f"val_{second}"}
    assert metadata.provenance.data == photographs.name
    assert metadata.provenance.versions.keys() >= {"edgevision", "torch", "lightning"}
    assert [spec.value_range for spec in metadata.inputs] == [(0.0, 1.0)] * len(metadata.inputs)

    shapes = {spec.name: spec.shape for spec in (*metadata.inputs, *metadata.outputs)}
    image = ("batch", 3, "height", "width")
    if kind == "brighten":
        assert shapes == {"image": ("batch", 3, 32, 32), "curves": ("batch", 24, 4, 4)}
        assert (metadata.image.size, metadata.image.resize) == ((32, 32), Resize.STRETCH)
        assert metadata.spec == RestorationSpec(predicts=Prediction.CURVES)
        assert metadata.tile is None
    elif kind == "colorize":
        assert shapes == {"image": ("batch", 1, 32, 32), "chroma": ("batch", 2, 16, 16)}
        assert metadata.image == ImageSpec(color=Color.GRAY, size=(32, 32), resize=Resize.STRETCH)
        assert metadata.spec == RestorationSpec(predicts=Prediction.CHROMA)
        assert metadata.tile is None
    elif kind == "upscale":
        fine = ("batch", 1, "2*height", "2*width")
        assert shapes == {"image": ("batch", 1, "height", "width"), "restored_image": fine}
        assert (metadata.image.color, metadata.image.size) == (Color.LUMA, None)
        assert metadata.spec == RestorationSpec(scale=2)
        assert metadata.tile == TileSpec(multiple=1)
    else:
        mask = {"mask": ("batch", 1, "height", "width")} if kind == "inpaint" else {}
        assert shapes == {"image": image, "restored_image": image, **mask}
        assert (metadata.image.color, metadata.image.size) == (Color.RGB, None)
        assert metadata.spec == RestorationSpec(sigma=(0.0, 50.0) if kind == "denoise" else None)
        assert metadata.tile == TileSpec(multiple=8)

    lines = history(tmp_path / "run")
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all(line.keys() == {"epoch", "train_loss", "val_psnr", f"val_{second}", "seconds"} for line in lines)
    assert metadata.quality["val_psnr"] == pytest.approx(max(line["val_psnr"] for line in lines), abs=1e-3)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["global_step"] == 4

    # Its figures are those of the weights in it.
    steps = ColorModule if kind == "colorize" else RestorationModule
    module = steps(checkpoint.network, chosen)
    photos = Photos(chosen.data, held_out=True, quiet=True)
    with torch.inference_mode():
        for batch in crop_loader(
            DamagedCrops(photos, chosen.updated(flip=False)), SeededBatches(2, validation=True), workers=0
        ):
            module.validation_step(batch, 0)
    assert metadata.quality["val_psnr"] == pytest.approx(float(module.psnr.compute()), abs=0.01)
    assert metadata.quality[f"val_{second}"] == pytest.approx(float(module.figures[second].compute()), abs=1e-3)


@pytest.mark.parametrize("kind", ["inpaint", "upscale"])
def test_an_interrupted_training_is_resumed_to_the_same_bits(
    tmp_path: Path, photographs: Path, kind: RestorationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(photographs, kind, steps=6)
    whole = train(train_restorer, chosen, tmp_path / "whole")
    record = RunFolder.record

    def interrupt(self: RunFolder, epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 3:
            raise KeyboardInterrupt
        record(self, epoch)

    folder = tmp_path / "interrupted"
    monkeypatch.setattr(RunFolder, "record", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_restorer(chosen, folder, quiet=True)
    monkeypatch.setattr(RunFolder, "record", record)
    assert (folder / "last.ckpt").is_file()
    assert not (folder / f"{chosen.model}.pt").exists()
    assert [line["epoch"] for line in history(folder)] == [1, 2]

    with pytest.raises(InputError, match="unfinished training with seed 0, not 1"):
        train_restorer(chosen.updated(seed=1), folder, quiet=True)
    assert_same_weights(train(train_restorer, chosen, folder), whole)
    assert [line["epoch"] for line in history(folder)] == [1, 2, 3]
    # The last weights, not only the best, must agree: those that are averaged, and their average.
    resumed, reference = (torch.load(run / "last.ckpt", weights_only=False) for run in (folder, tmp_path / "whole"))
    assert resumed["global_step"] == reference["global_step"] == 6
    for part in ("state_dict", "current_model_state"):
        for name, tensor in reference[part].items():
            assert torch.equal(tensor, resumed[part][name]), (part, name)


def test_the_averaged_weights_are_kept_and_not_the_last(tmp_path: Path, photographs: Path) -> None:
    kept = train(train_restorer, settings(photographs, "upscale"), tmp_path / "run")["state_dict"]
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=False)
    for name, tensor in kept.items():
        assert torch.equal(tensor, best["state_dict"][f"network.{name}"]), name
    assert any(not torch.equal(tensor, best["current_model_state"][f"network.{name}"]) for name, tensor in kept.items())


def test_without_an_average_the_weights_themselves_are_kept(tmp_path: Path, photographs: Path) -> None:
    kept = train(train_restorer, settings(photographs, "upscale", ema=0.0), tmp_path / "run")["state_dict"]
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=False)
    assert "current_model_state" not in best
    for name, tensor in kept.items():
        assert torch.equal(tensor, best["state_dict"][f"network.{name}"]), name


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path, photographs: Path) -> None:
    first, second, other = (
        train(train_restorer, settings(photographs, "upscale", seed=seed), tmp_path / name)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert_same_weights(first, second)
    assert not torch.equal(first["state_dict"]["head.weight"], other["state_dict"]["head.weight"])


def test_a_training_can_begin_with_the_weights_of_another(tmp_path: Path, photographs: Path) -> None:
    first = train(train_restorer, settings(photographs, "upscale"), tmp_path / "first")
    again = settings(
        photographs, "upscale", start_from=str(tmp_path / "first" / "subpixel.pt"), learning_rate=1e-12, seed=3
    )
    second = train(train_restorer, again, tmp_path / "second")
    for name, tensor in first["state_dict"].items():
        torch.testing.assert_close(second["state_dict"][name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model_options": {"width": 16}}, InputError, "holds another network, subpixel"),
        ({"start_from": "missing.pt"}, CheckpointError, "'missing.pt' does not exist"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_leave_no_folder_behind(
    tmp_path: Path, photographs: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    start = tmp_path / "subpixel.pt"
    metadata = ModelMetadata(task="upscale", name="subpixel")
    save_checkpoint(start, build_model("subpixel", width=8), metadata, model="subpixel", options={"width": 8})
    with pytest.raises(error, match=message):
        train_restorer(settings(photographs, "upscale", **({"start_from": str(start)} | changes)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_perceptual_loss_trains_and_leaves_its_classifier_out_of_the_file(
    tmp_path: Path, photographs: Path
) -> None:
    from edgevision.modelfiles.metadata import ImageSpec

    metadata = ModelMetadata(task="classify", name="resnet20", image=ImageSpec(size=(32, 32)))
    save_checkpoint(tmp_path / "a.pt", build_model("resnet20"), metadata, model="resnet20", options={})
    chosen = settings(
        photographs, "upscale", loss={"l1": 1.0, "perceptual": 0.1}, perceptual_model=str(tmp_path / "a.pt")
    )
    loaded = train(train_restorer, chosen, tmp_path / "run")
    assert loaded["state_dict"].keys() == build_model("subpixel", width=8).state_dict().keys()
    before = torch.load(tmp_path / "a.pt", weights_only=True)["state_dict"]
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["current_model_state"]
    for name, tensor in before.items():  # the running statistics too
        assert torch.equal(last[f"loss.features.network.{name}"], tensor), name


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path, photographs: Path) -> None:
    with pytest.raises(CollapseError, match=r"the (loss|PSNR) is (nan|inf); try a lower"):
        train(train_restorer, settings(photographs, "denoise", learning_rate=1e30), tmp_path / "run")
    assert not (tmp_path / "run" / "denoise_unet.pt").exists()


def test_a_finished_folder_is_refused_and_force_trains_it_again(tmp_path: Path, photographs: Path) -> None:
    first = train(train_restorer, settings(photographs, "upscale"), tmp_path / "run")
    with pytest.raises(OutputError, match="finished already; --force"):
        train_restorer(settings(photographs, "upscale"), tmp_path / "run", quiet=True)
    second = train(train_restorer, settings(photographs, "upscale", seed=1), tmp_path / "run", force=True)
    assert not torch.equal(first["state_dict"]["head.weight"], second["state_dict"]["head.weight"])


@pytest.mark.parametrize("names", [["000.png"], ["005.png"]])
def test_too_few_pictures_to_hold_any_out_are_refused(tmp_path: Path, photographs: Path, names: list[str]) -> None:
    (tmp_path / "data").mkdir()
    for name in names:
        shutil.copy(photographs / name, tmp_path / "data" / name)
    with pytest.raises(DatasetError, match="1 pictures are too few: a tenth, chosen by file name, is held out"):
        train_restorer(settings(tmp_path / "data", "denoise"), tmp_path / "run", quiet=True)


def test_a_mistyped_data_path_does_not_keep_the_right_one_from_the_folder(tmp_path: Path, photographs: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        train_restorer(settings(tmp_path / "nowhere", "upscale"), tmp_path / "run", quiet=True)
    train(train_restorer, settings(photographs, "upscale"), tmp_path / "run")


@pytest.mark.parametrize(("kind", "crop"), [("denoise", 30), ("inpaint", 20), ("inpaint", 72)])
def test_a_crop_that_the_network_cannot_take_is_refused(
    tmp_path: Path, photographs: Path, kind: RestorationKind, crop: int
) -> None:
    # Inpainting halves the crop for deep holes, and the half must be a multiple too.
    with pytest.raises(InputError, match=f"crop.*multiple.*{crop}"):
        train_restorer(settings(photographs, kind, crop=crop), tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("kind", "model"),
    [("denoise", "resnet20"), ("upscale", "denoise_unet"), ("brighten", "denoise_unet")],
)
def test_a_network_of_another_kind_is_refused(
    tmp_path: Path, photographs: Path, kind: RestorationKind, model: str
) -> None:
    with pytest.raises(InputError, match=model):
        train_restorer(settings(photographs, kind, model=model, model_options={}), tmp_path / "run", quiet=True)


# --- the steps ---


def scrambled_inpainter() -> nn.Module:
    torch.manual_seed(0)
    network = RestorationUNet(widths=(4, 6), blocks=(1, 1), shuffle=1, mask_input=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def test_inpainting_leaves_known_pixels_untouched_and_fills_the_others(photographs: Path) -> None:
    chosen = settings(photographs, "inpaint", batch_size=8)
    batch = DamagedCrops(Photos(chosen.data, held_out=False, quiet=True), chosen)[1, 0, 0]
    module = RestorationModule(scrambled_inpainter(), chosen)
    with torch.inference_mode():
        restored = module(batch)
    holes = batch["mask"].expand_as(restored) > 0
    assert torch.equal(restored[~holes], batch["target"][~holes])
    assert not torch.equal(restored[holes], batch["image"][holes])


def test_deep_holes_are_filled_by_the_network_at_half_the_size_first(photographs: Path) -> None:
    chosen = settings(photographs, "inpaint", batch_size=2)
    batch = dict(DamagedCrops(Photos(chosen.data, held_out=False, quiet=True), chosen)[1, 0, 0])
    holes = torch.zeros(2, 1, 32, 32)
    holes[:, :, 8:24, 8:24] = 1
    batch |= {
        "mask": holes,
        "image": batch["target"] * (1 - holes),
        "coarse": torch.full((2, 3, 16, 16), 0.5),
        "coarse_mask": holes[:, :, ::2, ::2].contiguous(),
    }
    module = RestorationModule(scrambled_inpainter(), chosen)
    answers = {}
    for deep in (False, True):
        with torch.inference_mode():
            answers[deep] = module(batch | {"deep": torch.tensor([deep, False])})
    assert not torch.equal(answers[True][0], answers[False][0])
    torch.testing.assert_close(answers[True][1], answers[False][1], rtol=1e-4, atol=1e-5)


def test_inpainting_is_judged_inside_the_holes(photographs: Path) -> None:
    chosen = settings(photographs, "inpaint", batch_size=2)
    batch = DamagedCrops(Photos(chosen.data, held_out=True, quiet=True), chosen)[2**31, 0, 0]
    module = RestorationModule(scrambled_inpainter(), chosen)
    module.validation_step(batch, 0)
    with torch.inference_mode():
        restored = module(batch).clamp(0, 1)
    inside = []
    for one, wanted, mask in zip(restored, batch["target"], batch["mask"], strict=True):
        holes = mask.expand_as(one) > 0
        inside.append(-10 * math.log10(float((one[holes] - wanted[holes]).square().mean())))
    assert float(module.psnr.compute()) == pytest.approx(sum(inside) / 2, abs=0.01)


# --- the command line ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "classify"], "'--kind': 'classify' is not one of 'inpaint', 'denoise', 'upscale', 'brighten'"),
        (["--kind", "paint"], "'paint' is not one of"),
        (["--kind", "denoise", "--scale", "2"], "--scale is for upscaling; denoise keeps the size"),
        (["--kind", "denoise", "--loss", "l1"], "--loss is terms and weights, as l1=1,ssim=0.1, not 'l1'"),
        (["--kind", "denoise", "--loss", "l1=much"], "--loss is terms and weights"),
        (["--kind", "denoise", "--loss", "l3=1"], "a loss is a positive weight for some of l1, l2"),
        (["--kind", "denoise", "--loss", "perceptual=1"], "--perceptual-model"),
        (["--kind", "denoise", "--sigma", "25"], "--sigma is two numbers joined by a comma, as 0,50, not '25'"),
        (["--kind", "denoise", "--sigma", "a,b"], "--sigma is two numbers"),
        (["--kind", "denoise", "--sigma", "50,0"], "sigma is the least and the greatest noise"),
        (["--kind", "denoise", "--model", "u_net"], "there is no model 'u_net'"),
        (["--kind", "denoise", "--model-options", "[1]"], "--model-options must be a JSON object"),
        (["--kind", "denoise", "--steps", "5", "--validate-every", "2"], "steps must be a multiple of validate-every"),
        (["--kind", "denoise", "--seed", "-1"], "seed"),
        ([], "--kind"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_named_and_ends_with_2(
    edgevision: Call, photographs: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    fixed = ["train", "restore", "--data", photographs, "-o", tmp_path / "run"]
    code, out, err = edgevision(*fixed, *arguments)
    assert code == 2, err
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "run").exists()


def test_help_lists_the_options(edgevision: Call) -> None:
    code, out, _ = edgevision("train", "restore", "--help")
    assert code == 0
    for option in ("--kind", "--data", "--scale", "--loss", "--sigma", "--ema", "--perceptual-model", "--start-from"):
        assert option in out, option


def test_the_command_trains_and_prints_where_the_checkpoint_is(
    edgevision: Call, photographs: Path, tmp_path: Path
) -> None:
    code, out, err = edgevision(
        *("train", "restore", "--kind", "upscale", "--scale", 4, "--data", photographs, "-o", tmp_path / "run"),
        *("--model-options", '{"width": 8}', "--crop", 32, "--batch-size", 2, "--steps", 2, "--validate-every", 1),
        *("--loss", "l1=1,ssim=0.1", "--sigma", "0,25", "--workers", 0),
    )
    assert code == 0, err
    assert out == f"{tmp_path / 'run' / 'subpixel.pt'}\n"
    assert "training: 2 steps, a validation after every 1" in err
    assert "epoch 2 of 2: loss" in err
    chosen = RestorationSettings.from_dict(json.loads((tmp_path / "run" / "settings.json").read_text()))
    assert (chosen.kind, chosen.scale, chosen.steps) == ("upscale", 4, 2)
    assert chosen.loss == {"l1": 1.0, "ssim": 0.1}
    metadata = read_checkpoint(tmp_path / "run" / "subpixel.pt").metadata
    assert metadata is not None
    assert metadata.spec == RestorationSpec(scale=4)
    assert metadata.outputs[0].shape == ("batch", 1, "4*height", "4*width")


def test_a_wider_denoiser_for_mixed_noise_says_so_in_its_file(photographs: Path, tmp_path: Path) -> None:
    options = {"widths": [8, 16], "blocks": [1, 1]}
    chosen = settings(photographs, "denoise", noise="mixed", sigma=(0.0, 55.0), model_options=options)
    train(train_restorer, chosen, tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / f"{chosen.model}.pt")
    assert checkpoint.metadata is not None
    assert checkpoint.metadata.spec == RestorationSpec(sigma=(0.0, 55.0), noise=NoiseKind.MIXED)
    assert checkpoint.metadata.tile == TileSpec(multiple=4)
