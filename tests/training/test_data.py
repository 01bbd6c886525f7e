"""Batches for training: their pixels, their order, their share of each process."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.preprocessing import Preprocessor, sample
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, Resize
from edgevision.training import data as data_module
from edgevision.training.data import EpochBatches, TensorImages, channel_statistics, hold_out, loader
from edgevision.training.digits import Digits

SPEC = ImageSpec(size=(8, 8))


def draw(batches: EpochBatches, epoch: int = 0) -> list[int]:
    batches.set_epoch(epoch)
    return [position for batch in batches for position in batch]


@pytest.fixture(params=[True, False], ids=["cached", "decoded when asked for"])
def cached(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(data_module, "_CACHE_BYTES", 0)
    return bool(request.param)


def test_pictures_are_those_of_the_device_side(tmp_path: Path, write_class_folders, cached: bool) -> None:
    source = ImageFolder(write_class_folders(tmp_path / "data", {"cat": 3, "dog": 3}))
    spec = ImageSpec(size=(6, 5), resize=Resize.CROP, color=Color.BGR)
    images = TensorImages(source, np.array([4, 0, 2]), spec, quiet=True)
    assert images.cached is cached
    pixels, labels = images[[2, 0]]
    assert pixels.dtype == torch.uint8
    assert labels.tolist() == [0, 1]
    for tensor, index in zip(pixels, (2, 4), strict=True):
        np.testing.assert_array_equal(tensor.numpy().transpose(1, 2, 0), sample(source.image(index), spec))


def test_the_network_sees_in_training_what_the_device_feeds_it() -> None:
    """The tensor inside ClassifierModule against Preprocessor, the two places that normalise."""
    from edgevision.training.classify import ClassifierModule
    from edgevision.training.settings import ClassifierSettings

    class Keep(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    spec = ImageSpec(size=(8, 8), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    module = ClassifierModule(Keep(), ClassifierSettings(), spec, np.array([0, 1]), 2)
    seen = module(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])
    assert sqnr_db(Preprocessor(spec)(Image.fromarray(pixels)), seen[0].numpy()) > 120


def test_a_picture_that_cannot_be_read_is_left_out_and_named(
    tmp_path: Path, write_class_folders, cached: bool, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_class_folders(tmp_path / "data", {"cat": 3, "dog": 3})
    broken = root / "dog" / "001.png"
    broken.write_bytes(broken.read_bytes()[:50])
    images = TensorImages(ImageFolder(root), np.arange(6), SPEC, quiet=True)
    assert len(images) == (5 if cached else 6)
    pixels, labels = images[list(range(len(images)))]
    assert "'dog/001.png'" in caplog.text
    assert labels.tolist() == [0, 0, 0, 1, 1] + [1] * (not cached)
    # Where it was to be decoded another stands, with its own label.
    assert cached or torch.equal(pixels[4], pixels[5])


def test_data_of_which_nothing_can_be_read_are_an_error(tmp_path: Path, write_class_folders, cached: bool) -> None:
    root = write_class_folders(tmp_path / "data", {"cat": 5})
    source = ImageFolder(root)
    for path in root.rglob("*.png"):
        path.unlink()  # as when a disk is taken away
    with pytest.raises(DatasetError, match=r"none of 5 pictures can be read|no picture can be read any more"):
        TensorImages(source, np.arange(5), SPEC, quiet=True)[[0]]


@pytest.mark.parametrize("workers", [0, 2])
# Python warns of forking a process that has threads; the workers here only read files.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_loader_follows_the_order_of_the_batches(
    tmp_path: Path, write_class_folders, cached: bool, workers: int
) -> None:
    source = ImageFolder(write_class_folders(tmp_path / "data", {"cat": 7, "dog": 5}))
    images = TensorImages(source, np.arange(12), SPEC, quiet=True)
    batches = EpochBatches(12, 4, seed=3, shuffle=True)
    loaded = list(loader(images, batches, workers=workers))
    assert [len(labels) for _, labels in loaded] == [4, 4, 4]
    for (pixels, labels), positions in zip(loaded, batches, strict=True):
        expected_pixels, expected_labels = images[positions]
        assert torch.equal(pixels, expected_pixels)
        assert torch.equal(labels, expected_labels)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4), st.booleans())
def test_every_process_gets_equally_many_batches_and_no_picture_is_lost(
    length: int, size: int, processes: int, shuffle: bool
) -> None:
    shares = [
        EpochBatches(length, size, seed=1, shuffle=shuffle, rank=rank, processes=processes) for rank in range(processes)
    ]
    batches = [list(share) for share in shares]
    assert {tuple(map(len, b)) for b in batches} == {tuple(map(len, batches[0]))}
    assert all(len(share) == len(b) for share, b in zip(shares, batches, strict=True))
    drawn = [position for b in batches for batch in b for position in batch]
    if not shuffle:
        assert set(drawn) == set(range(length))
    if shuffle:
        assert all(sum(map(len, b)) >= min(2, size) for b in batches)  # of one, nothing can be normalised
    if length % processes == 0 and (length // processes > 1 or not shuffle):
        assert len(set(drawn)) == len(drawn)  # disjoint: nobody sees another's picture


def test_training_never_ends_an_epoch_with_a_batch_of_one() -> None:
    assert [len(b) for b in EpochBatches(9, 4, seed=0, shuffle=True)] == [4, 4]
    assert [len(b) for b in EpochBatches(9, 4, seed=0, shuffle=False)] == [4, 4, 1]
    assert [len(b) for b in EpochBatches(3, 4, seed=0, shuffle=True)] == [3]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    batches = EpochBatches(50, 5, seed=7, shuffle=True)
    first, second = draw(batches, 0), draw(batches, 1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert draw(batches, 0) == first  # going back, as a resumed training does
    np.random.default_rng(1).random(100)
    assert draw(EpochBatches(50, 5, seed=7, shuffle=True), 1) == second
    assert draw(EpochBatches(50, 5, seed=8, shuffle=True), 0) != first


def test_validation_is_in_order() -> None:
    assert draw(EpochBatches(7, 3, seed=5, shuffle=False), 4) == list(range(7))


def test_resampling_shows_every_class_equally_often() -> None:
    labels = np.repeat([0, 1, 2], [4000, 500, 100])
    batches = EpochBatches(4600, 100, seed=0, shuffle=True, weights=1 / np.bincount(labels)[labels])
    share = np.bincount(labels[draw(batches)]) / 4600
    # Three standard deviations of a binomial share: 3 sqrt(1/3 * 2/3 / 4600) = 0.021.
    np.testing.assert_allclose(share, 1 / 3, atol=0.021)
    assert draw(batches, 0) != draw(batches, 1)


def test_processes_share_one_resampled_epoch() -> None:
    weights = np.array([1.0, 1.0, 8.0, 8.0])
    whole = draw(EpochBatches(4, 4, seed=2, shuffle=True, weights=weights))
    shares = [draw(EpochBatches(4, 2, seed=2, shuffle=True, weights=weights, rank=r, processes=2)) for r in (0, 1)]
    assert [shares[0][0], shares[1][0], shares[0][1], shares[1][1]] == whole


@given(st.lists(st.integers(2, 40), min_size=1, max_size=5), st.floats(0.05, 0.6), st.integers(0, 9))
def test_the_same_fraction_of_every_class_is_held_out(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    kept, out = hold_out(labels, fraction, seed)
    assert sorted([*kept, *out]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        assert (labels[out] == label).sum() == min(max(1, round(count * fraction)), count - 1)
    again = hold_out(labels, fraction, seed)
    np.testing.assert_array_equal(again[1], out)


def test_another_seed_holds_out_others() -> None:
    labels = np.zeros(100, np.int64)
    assert hold_out(labels, 0.2, 0)[1].tolist() != hold_out(labels, 0.2, 1)[1].tolist()


@pytest.mark.parametrize("count", [3, 250])
def test_channel_statistics_are_mean_and_deviation_in_0_to_1(tmp_path: Path, write_class_folders, count: int) -> None:
    images = TensorImages(
        ImageFolder(write_class_folders(tmp_path / "data", {"cat": count})), np.arange(count), SPEC, quiet=True
    )
    pixels = images[list(range(count))][0].numpy() / 255.0
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), atol=5e-5)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 2, 3)), atol=5e-5)


def test_pictures_of_one_colour_still_have_a_positive_deviation(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (8, 8), (255, 0, 10)).save(tmp_path / "cat" / "a.png")
    _, std = channel_statistics(TensorImages(ImageFolder(tmp_path), np.arange(1), SPEC, quiet=True))
    assert min(std) > 0


def test_the_digits_are_divided_once_and_for_all() -> None:
    train, test = Digits("train"), Digits("test")
    assert len(train) + len(test) == 1797
    assert not set(train.names) & set(test.names)
    assert abs(len(test) / 1797 - 0.2) < 0.01
    assert set(test.labels) == set(train.labels) == set(range(10))
    assert test.image(0).size == (8, 8)
    assert np.asarray(train.image(0)).max() > 200
    with pytest.raises(DatasetError, match="no split 'val'; they have test, train"):
        Digits("val")
