"""The inputs that two models are compared on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.samples import picture_batches, seeded_batches
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec

RGB = ModelMetadata(task="denoise", name="rgb", image=ImageSpec())


def drawn(metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int = 0) -> np.ndarray:
    return np.concatenate([pictures for (pictures,) in seeded_batches(metadata, shape, count, seed)])


def test_a_seed_gives_the_same_samples_again_and_another_others() -> None:
    first = drawn(RGB, (3, 16, 12), 3)
    np.testing.assert_array_equal(first, drawn(RGB, (3, 16, 12), 3))
    assert not np.array_equal(first, drawn(RGB, (3, 16, 12), 3, seed=1))
    assert not np.array_equal(first[0], first[1])


def test_the_count_is_kept_in_batches_of_sixteen() -> None:
    batches = [pictures for (pictures,) in seeded_batches(RGB, (3, 5, 7), 35, 0)]
    assert [batch.shape for batch in batches] == [(16, 3, 5, 7), (16, 3, 5, 7), (3, 3, 5, 7)]
    assert {batch.dtype for batch in batches} == {np.dtype(np.float32)}


def test_pictures_are_8_bit_samples_of_medium_brightness() -> None:
    images = drawn(RGB, (3, 64, 64), 16)
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_allclose(images * 255, np.round(images * 255), atol=1e-3)
    assert images.mean() == pytest.approx(0.5, abs=0.02)
    assert images.std() == pytest.approx(0.25, abs=0.02)


def test_pictures_are_normalised_as_the_metadata_says() -> None:
    spec = ImageSpec(value_range=(-1, 1), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    plain = drawn(RGB, (3, 16, 16), 4)
    centre, deviation = (np.float32(values)[:, None, None] for values in ((0.1, 0.2, 0.3), (0.5, 0.25, 2.0)))
    expected = (plain * 2 - 1 - centre) / deviation
    np.testing.assert_allclose(drawn(RGB.updated(image=spec), (3, 16, 16), 4), expected, rtol=1e-5, atol=1e-5)


def test_the_amplitude_falls_with_the_frequency_as_in_photographs() -> None:
    gray = RGB.updated(image=ImageSpec(color=Color.GRAY))
    images = drawn(gray, (1, 128, 128), 32)[:, 0]
    spectrum = np.abs(np.fft.rfft2(images)).mean(0)
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None, :])
    inside = (frequency > 0.03) & (frequency < 0.3)
    slope, _ = np.polyfit(np.log(frequency[inside]), np.log(spectrum[inside]), 1)
    assert slope == pytest.approx(-1, abs=0.15)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 9), (3, 2, 1)])
def test_the_smallest_pictures_can_be_drawn(shape: tuple[int, ...]) -> None:
    metadata = RGB if shape[0] == 3 else RGB.updated(image=ImageSpec(color=Color.GRAY))
    images = drawn(metadata, shape, 2)
    assert images.shape == (2, *shape)
    assert np.isfinite(images).all()


@pytest.mark.parametrize(
    ("distribution", "low", "high", "deviation"), [("normal", -6, 6, 1.0), ("uniform", -1, 1, 3**-0.5)]
)
def test_latents_come_from_their_distribution(distribution: str, low: float, high: float, deviation: float) -> None:
    latent = LatentSpec(size=64, distribution=distribution)
    latents = drawn(ModelMetadata(task="generate", name="gan", spec=GenerationSpec(latent=latent)), (64,), 320)
    assert latents.shape == (320, 64)
    assert latents.dtype == np.float32
    assert low <= latents.min() < latents.max() <= high
    assert latents.mean() == pytest.approx(0, abs=0.03)
    assert latents.std() == pytest.approx(deviation, abs=0.03)


def test_pictures_are_spread_evenly_and_preprocessed(write_class_folders: Callable[..., Path], tmp_path: Path) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 20, "b": 21}))
    spec = ImageSpec(size=(6, 5))
    batches = [pictures for (pictures,) in picture_batches(data, RGB.updated(image=spec), 21)]
    assert [len(batch) for batch in batches] == [16, 5]
    expected = [Preprocessor(spec)(data.image(index)) for index in range(0, 41, 2)]
    np.testing.assert_array_equal(np.concatenate(batches), np.stack(expected))


def test_fewer_pictures_than_asked_are_all_there_are(write_class_folders: Callable[..., Path], tmp_path: Path) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 3}))
    assert [len(batch) for (batch,) in picture_batches(data, RGB.updated(image=ImageSpec(size=(4, 4))), 64)] == [3]


def test_pictures_of_their_own_size_come_one_by_one(write_class_folders: Callable[..., Path], tmp_path: Path) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 3}))
    assert [batch.shape for (batch,) in picture_batches(data, RGB, 64)] == [(1, 3, 8, 8)] * 3


def test_pictures_of_their_own_size_are_cut_to_the_multiple_of_the_network(
    write_class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 1}))
    ((whole,),), ((cut,),) = (picture_batches(data, RGB.updated(tile=TileSpec(multiple=m)), 1) for m in (1, 3))
    np.testing.assert_array_equal(cut, whole[:, :, :6, :6])


def test_pictures_of_their_own_size_get_the_sides_that_a_network_is_fixed_to(
    write_class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 1}))
    fixed = RGB.updated(inputs=(TensorSpec(name="image", shape=(1, 3, 11, 5)),))
    ((whole,),), ((made,),) = (picture_batches(data, metadata, 1) for metadata in (RGB, fixed))
    assert whole.shape == (1, 3, 8, 8)
    # Below the picture it is mirrored about its last row.
    np.testing.assert_array_equal(made, np.concatenate([whole, whole[:, :, 6:3:-1]], axis=2)[..., :5])


@pytest.mark.parametrize("count", [5, 20])
def test_pictures_to_inpaint_have_a_mask_each(count: int) -> None:
    metadata = RGB.updated(task="inpaint")
    first, again = (list(seeded_batches(metadata, (3, 24, 40), count, 2)) for _ in range(2))
    assert [len(batch) for batch in first] == [2] * len(first)
    assert sum(len(pictures) for pictures, _ in first) == count
    for (pictures, masks), repeated in zip(first, again, strict=True):
        assert masks.shape == (len(pictures), 1, 24, 40)
        assert masks.dtype == np.float32
        assert set(np.unique(masks)) == {0, 1}
        # Something is to be filled and something is there to fill it from.
        assert all(0 < mask.mean() < 1 for mask in masks)
        np.testing.assert_array_equal(masks, repeated[1])
    assert len({mask.tobytes() for _, masks in first for mask in masks}) == count


def test_pictures_from_a_folder_have_masks_of_their_size_too(
    write_class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data = ImageFolder(write_class_folders(tmp_path / "data", {"a": 3}))
    metadata = RGB.updated(task="inpaint", tile=TileSpec(multiple=3))
    batches = list(picture_batches(data, metadata, 3))
    assert [(pictures.shape, masks.shape) for pictures, masks in batches] == [((1, 3, 6, 6), (1, 1, 6, 6))] * 3
    assert all(0 < masks.mean() < 1 for _, masks in batches)


def test_a_damaged_picture_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metadata = ModelMetadata(task="classify", name="rgb", image=ImageSpec(size=(4, 4)))
    for name in ("a.png", "c.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    batches = [pictures for (pictures,) in picture_batches(ImageFolder(tmp_path), metadata, 10)]
    assert [len(batch) for batch in batches] == [2]
    assert "left out: 'b.png'" in caplog.text
    for name in ("a.png", "c.png"):
        (tmp_path / name).unlink()
    with pytest.raises(DatasetError, match="not one of the 1 pictures"):
        list(picture_batches(ImageFolder(tmp_path), metadata, 10))
