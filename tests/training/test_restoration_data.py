"""Batches of damaged crops: their shapes and ranges, their seeds, and what is never trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from edgevision.data.datasets import is_held_out
from edgevision.data.hole_kinds import HoleKind
from edgevision.metrics.figures import psnr_db
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training import kept_pictures, restoration_data
from edgevision.training.crop_batches import Example, crop_loader
from edgevision.training.photo_crops import Photos
from edgevision.training.restoration_data import DamagedCrops
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import RestorationSettings

KINDS = ("inpaint", "denoise", "upscale", "brighten", "colorize")
kinds = pytest.mark.parametrize("kind", KINDS)
VALIDATION = next(iter(SeededBatches(1, validation=True)))[0]


@pytest.fixture
def photos(photographs: Path) -> Photos:
    return Photos([str(photographs)], held_out=False, quiet=True)


def settings(kind: RestorationKind, **changes: Any) -> RestorationSettings:
    plain: dict[str, Any] = {
        "kind": kind,
        "data": ("photographs",),
        "model": "any",
        "scale": 2 if kind == "upscale" else 1,
        "crop": 32,
        "batch_size": 4,
        "steps": 100,
        "validate_every": 10,
        "workers": 0,
        "loss": {"colors" if kind == "colorize" else "l1": 1.0},
    }
    return RestorationSettings(**(plain | changes))


def assert_same(first: Example, second: Example) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@kinds
def test_tensors_have_the_shapes_and_ranges_of_their_kind(kind: RestorationKind, photos: Photos) -> None:
    batch = DamagedCrops(photos, settings(kind))[0, 0, 0]
    channels, side = {"upscale": (1, 16), "colorize": (1, 32)}.get(kind, (3, 32))
    target = (2, 16, 16) if kind == "colorize" else (channels, 32, 32)
    assert batch["image"].shape == (4, channels, side, side)
    assert batch["target"].shape == (4, *target)
    for name, tensor in batch.items():
        assert tensor.dtype == (torch.bool if name == "deep" else torch.float32), name
        if kind not in ("denoise", "colorize") or name != "image":  # noise is not clipped
            assert tensor.min() >= 0, name
            assert tensor.max() <= 1, name
    assert batch["target"].std() > (0.01 if kind == "colorize" else 0.05)
    if kind == "inpaint":
        assert batch["mask"].shape == (4, 1, 32, 32)
        assert batch["coarse"].shape == (4, 3, 16, 16)
        assert batch["coarse_mask"].shape == (4, 1, 16, 16)
        assert batch["deep"].shape == (4,)
    else:
        assert batch.keys() == {"image", "target"}


@kinds
def test_a_batch_depends_on_its_key_and_the_seed_alone(kind: RestorationKind, photos: Photos) -> None:
    crops = DamagedCrops(photos, settings(kind))
    batch = crops[3, 1, 0]
    np.random.default_rng().random(10)
    crops[4, 0, 0]
    assert_same(crops[3, 1, 0], batch)
    assert_same(DamagedCrops(photos, settings(kind))[3, 1, 0], batch)
    for key in ((4, 1, 0), (3, 2, 0), (3, 1, 1)):
        assert not torch.equal(crops[key]["target"], batch["target"]), key
    assert not torch.equal(DamagedCrops(photos, settings(kind, seed=1))[3, 1, 0]["target"], batch["target"])


def test_the_keys_of_an_epoch_tell_epoch_batch_and_process() -> None:
    batches = SeededBatches(3, validation=False, rank=2)
    assert len(batches) == 3
    assert list(batches) == [(0, 0, 2), (0, 1, 2), (0, 2, 2)]
    batches.set_epoch(7)
    assert list(batches) == [(7, 0, 2), (7, 1, 2), (7, 2, 2)]
    validation = SeededBatches(2, validation=True)
    first = list(validation)
    validation.set_epoch(7)
    assert list(validation) == first


def test_held_out_pictures_are_never_among_those_of_the_training(tmp_path: Path) -> None:
    names = [f"{number:03}.png" for number in range(40)]
    for number, name in enumerate(names):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / name)
    seen = {}
    for held_out in (False, True):
        photos = Photos([str(tmp_path)], held_out=held_out, quiet=True)
        seen[held_out] = {int(photos[position][0, 0, 0]) for position in range(len(photos))}
    assert seen[True] == {number for number, name in enumerate(names) if is_held_out(name)}
    assert seen[True] | seen[False] == set(range(40))
    assert not seen[True] & seen[False]


def test_pictures_of_several_places_are_put_together(tmp_path: Path, photographs: Path) -> None:
    Image.new("L", (30, 20), 7).save(tmp_path / "000.png")
    photos = Photos([str(photographs), str(tmp_path)], held_out=False, quiet=True)
    assert len(photos) == 11
    np.testing.assert_array_equal(photos[10], np.full((20, 30, 3), 7, np.uint8))


def test_of_divided_data_the_training_part_is_trained_on(tmp_path: Path) -> None:
    for part, count in (("train", 30), ("test", 10)):
        (tmp_path / part).mkdir()
        for number in range(count):
            Image.new("RGB", (8, 8), "red" if part == "test" else "blue").save(tmp_path / part / f"{number:03}.png")
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)
    seen = {tuple(photos[position][0, 0].tolist()) for position in range(len(photos))}
    assert seen == {(0, 0, 255)}


def test_16_bit_and_transparent_photographs_are_seen_as_they_are_shown(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 100 * 257, np.uint16)).save(tmp_path / "000.png")
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "001.png")
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)
    np.testing.assert_array_equal(photos[0], np.full((8, 8, 3), 100, np.uint8))
    np.testing.assert_array_equal(photos[1], np.full((8, 8, 3), 255, np.uint8))


@pytest.mark.parametrize("kept", [True, False])
def test_a_damaged_photograph_is_named_and_another_seen(
    tmp_path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if not kept:
        monkeypatch.setattr(kept_pictures, "_CACHE_BYTES", 0)
    for name in ("000.png", "001.png"):
        Image.effect_noise((40, 40), 50).save(tmp_path / name)
    whole = (tmp_path / "000.png").read_bytes()
    (tmp_path / "000.png").write_bytes(whole[: len(whole) // 2])
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)
    assert len(photos) == (1 if kept else 2)
    with Image.open(tmp_path / "001.png") as other:
        np.testing.assert_array_equal(photos[0], np.asarray(other.convert("RGB")))
    assert "'000.png'" in caplog.text


# Python warns of forking a process that has threads; the workers here only read files.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_what_is_not_kept_is_decoded_by_workers_to_the_same_batches(
    photographs: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings("denoise", workers=2)
    batches = SeededBatches(3, validation=False)
    kept = list(crop_loader(DamagedCrops(photos, chosen), batches, workers=2))
    assert photos.all_kept
    monkeypatch.setattr(kept_pictures, "_CACHE_BYTES", 0)
    others = Photos([str(photographs)], held_out=False, quiet=True)
    assert not others.all_kept
    for first, second in zip(kept, crop_loader(DamagedCrops(others, chosen), batches, workers=2), strict=True):
        assert_same(first, second)


@kinds
def test_a_picture_smaller_than_the_crop_is_enlarged(kind: RestorationKind, tmp_path: Path) -> None:
    Image.new("RGB", (9, 5), (200, 100, 50)).save(tmp_path / "000.png")
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)
    target = DamagedCrops(photos, settings(kind))[0, 0, 0]["target"]
    side = 16 if kind == "colorize" else 32
    assert target.shape[2:] == (side, side)
    expected = {
        "upscale": np.array([124]),  # the luma of BT.601
        "colorize": 128 + np.array([36.3, 45.4]),  # a and b
    }.get(kind, np.array([200, 100, 50])) / 255
    assert psnr_db(np.broadcast_to(expected[None, :, None, None], target.shape), target.numpy()) > 45


@pytest.mark.parametrize("sigma", [5.0, 40.0])
@pytest.mark.parametrize("gray", [0.0, 1.0])
def test_noise_is_of_the_strength_asked_for_and_gray_where_the_picture_is(
    sigma: float, gray: float, photos: Photos
) -> None:
    batch = DamagedCrops(photos, settings("denoise", sigma=(sigma, sigma), gray=gray, batch_size=8))[0, 0, 0]
    noise = (batch["image"] - batch["target"]) * 255
    # Half of the pictures are clipped to 0..255, which takes away some of the noise.
    assert 0.8 * sigma < noise.std() < 1.05 * sigma
    for name, tensor in batch.items():
        same = torch.equal(tensor[:, 0], tensor[:, 1]) and torch.equal(tensor[:, 0], tensor[:, 2])
        assert same == (gray == 1.0), name


def test_some_noisy_pictures_are_rounded_to_8_bits_and_some_are_not(photos: Photos) -> None:
    image = DamagedCrops(photos, settings("denoise", sigma=(25.0, 25.0), batch_size=16))[0, 0, 0]["image"]
    steps = image * 255
    rounded = [bool(torch.allclose(one, one.round(), atol=1e-3)) for one in steps]
    assert 2 <= sum(rounded) <= 14


def test_a_shrunken_picture_is_the_target_at_a_lower_resolution(photos: Photos) -> None:
    batch = DamagedCrops(photos, settings("upscale"))[0, 0, 0]
    mean = torch.nn.functional.avg_pool2d(batch["target"], 2)
    assert psnr_db(mean.numpy(), batch["image"].numpy()) > 30


def test_mixed_noise_leaves_some_pictures_as_they_are_and_is_gray_where_the_picture_is(photos: Photos) -> None:
    chosen = settings("denoise", noise="mixed", gray=0.5, batch_size=64)
    batch = DamagedCrops(photos, chosen)[0, 0, 0]
    same = [torch.allclose(image, target, atol=1e-6) for image, target in zip(*batch.values(), strict=True)]
    assert 1 <= sum(same) <= 16
    gray = [torch.equal(one[0], one[1]) for one in batch["target"]]
    assert gray == [torch.equal(one[0], one[1]) for one in batch["image"]]
    assert 16 <= sum(gray) <= 48


def test_half_of_the_pictures_to_upscale_have_the_noise_asked_for(photos: Photos) -> None:
    plain, noisy = (
        DamagedCrops(photos, settings("upscale", noise=noise, batch_size=32, flip=False))[VALIDATION, 0, 0]
        for noise in (None, "impulse")
    )
    assert plain["image"].shape == noisy["image"].shape
    extreme = (noisy["image"] == 0) | (noisy["image"] == 1)
    assert 6 <= sum(extreme[:, 0].float().mean(dim=(1, 2)) > 0.001) <= 26


def test_some_pictures_to_brighten_are_good_as_they_are_but_not_in_validation(photos: Photos) -> None:
    for epoch, least, most in ((0, 1, 20), (VALIDATION, 0, 0)):
        batch = DamagedCrops(photos, settings("brighten", batch_size=32))[epoch, 0, 0]
        same = [torch.equal(image, target) for image, target in zip(*batch.values(), strict=True)]
        assert least <= sum(same) <= most


def test_an_underexposed_picture_is_darker_than_its_target(photos: Photos) -> None:
    batch = DamagedCrops(photos, settings("brighten"))[VALIDATION, 0, 0]
    assert (batch["image"].mean(dim=(1, 2, 3)) < 0.65 * batch["target"].mean(dim=(1, 2, 3))).all()


def test_known_pixels_are_the_targets_and_the_others_black(photos: Photos) -> None:
    batch = DamagedCrops(photos, settings("inpaint", batch_size=8))[5, 0, 0]
    mask = batch["mask"].expand_as(batch["image"]) > 0
    assert torch.equal(batch["image"][~mask], batch["target"][~mask])
    assert not batch["image"][mask].any()
    assert set(batch["mask"].unique().tolist()) == {0, 1}
    # A coarse pixel is unknown where all four that it stands for are.
    assert torch.equal(batch["coarse_mask"], -torch.nn.functional.max_pool2d(-batch["mask"], 2))


def drawn_kinds(
    monkeypatch: pytest.MonkeyPatch, photos: Photos, epochs: tuple[int, ...], chosen: RestorationSettings
) -> list[HoleKind]:
    found: list[HoleKind] = []
    draw = restoration_data.draw_holes

    def remember(kind: HoleKind, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
        found.append(kind)
        return draw(kind, height, width, generator)

    monkeypatch.setattr(restoration_data, "draw_holes", remember)
    crops = DamagedCrops(photos, chosen)
    for epoch in epochs:
        for number in range(10):
            crops[epoch, number, 0]
    monkeypatch.undo()
    return found


def test_inpainting_starts_with_scattered_pixels_and_is_validated_without_them(
    monkeypatch: pytest.MonkeyPatch, photos: Photos
) -> None:
    chosen = settings("inpaint")
    assert set(drawn_kinds(monkeypatch, photos, (0,), chosen)) == {HoleKind.PIXELS}
    some = drawn_kinds(monkeypatch, photos, (2,), chosen)  # a fifth of the training is done
    later = drawn_kinds(monkeypatch, photos, (9,), chosen)
    # Three standard deviations of 40 draws are 0.23 and 0.19.
    assert some.count(HoleKind.PIXELS) / len(some) == pytest.approx(1 - 3 * 0.2, abs=0.23)
    assert later.count(HoleKind.PIXELS) / len(later) == pytest.approx(0.2, abs=0.19)
    assert set(later) == set(HoleKind)
    validation = drawn_kinds(monkeypatch, photos, (VALIDATION,), chosen)
    assert set(validation) == set(HoleKind) - {HoleKind.PIXELS}


def test_only_large_holes_are_filled_from_the_coarse_level(photos: Photos) -> None:
    crops = DamagedCrops(photos, settings("inpaint", batch_size=16))
    assert not crops[0, 0, 0]["deep"].any()
    later = crops[VALIDATION, 0, 0]["deep"]
    assert later.any()
    assert not later.all()


def test_validation_goes_through_the_photographs_in_turn(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (40, 40), (80 * number, 0, 0)).save(tmp_path / f"00{number}.png")
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)
    crops = DamagedCrops(photos, settings("denoise", batch_size=2))
    seen = [round(float(one[0].mean() * 255)) for number in range(3) for one in crops[VALIDATION, number, 0]["target"]]
    assert seen == [0, 80, 160, 0, 80, 160]


def test_crops_are_mirrored_and_turned_only_where_asked_to_be(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64]
    Image.fromarray(np.dstack([x * 3, y * 3, np.zeros_like(x)]).astype(np.uint8)).save(tmp_path / "000.png")
    photos = Photos([str(tmp_path)], held_out=False, quiet=True)

    def ways(kind: RestorationKind, *, flip: bool) -> set[tuple[bool, bool, bool]]:
        """Which colour rises to the right, and where to both rise."""
        target = DamagedCrops(photos, settings(kind, flip=flip, batch_size=64))[0, 0, 0]["target"]
        found = set()
        for red, green, _ in target:
            upright = bool((red[:, -1] - red[:, 0]).abs().mean() > (red[-1] - red[0]).abs().mean())
            across, down = (red, green) if upright else (green, red)
            found.add((upright, bool(across[0, -1] > across[0, 0]), bool(down[-1, 0] > down[0, 0])))
        return found

    assert ways("denoise", flip=False) == {(True, True, True)}
    assert len(ways("denoise", flip=True)) == 8
    # A room upside down is lit as no room is.
    assert ways("brighten", flip=True) == {(True, True, True), (True, False, True)}
