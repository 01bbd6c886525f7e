"""The built-in clips."""

from pathlib import Path

import numpy as np
import pytest

from edgevision.core.errors import DatasetError
from edgevision.runtime.tasks.sequences.clips import ClipFolder
from edgevision.training.moving_digits import LENGTH, SIDE, MovingDigits


def clip(data: MovingDigits, motion: str) -> np.ndarray:
    """The first clip of a motion, (16, 32, 32)."""
    index = int(np.flatnonzero(data.labels == data.class_names.index(motion))[0])
    return np.stack(list(data.frames(index))).astype(float)


def centres(frames: np.ndarray) -> np.ndarray:
    """Where the light of each frame lies, (16, 2), as x and y."""
    light = np.maximum(frames - 40, 0)
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (x, y)], 1)


def test_a_clip_depends_on_the_seed_its_split_and_its_number_alone() -> None:
    one, other = MovingDigits("train", seed=3, clips=20), MovingDigits("train", seed=3)
    np.testing.assert_array_equal(list(one.frames(17)), list(other.frames(17)))
    assert not np.array_equal(list(one.frames(17)), list(one.frames(7)))
    assert not np.array_equal(list(one.frames(17)), list(MovingDigits("train", seed=4).frames(17)))
    assert not np.array_equal(list(one.frames(17)), list(MovingDigits("val", seed=3).frames(17)))
    assert len(list(one.frames(0))) == LENGTH


def test_the_digits_of_one_split_are_in_no_other() -> None:
    digits = {split: {d.tobytes() for d in MovingDigits(split)._digits} for split in MovingDigits.splits}
    assert all(len(found) > 100 for found in digits.values())
    for split, found in digits.items():
        for other in digits.keys() - {split}:
            # Some of scikit-learn's digits are there twice.
            assert len(found & digits[other]) <= 2, (split, other)
    with pytest.raises(DatasetError, match="no split 'all'"):
        MovingDigits("all")


def test_every_class_is_there_equally_often() -> None:
    assert set(np.bincount(MovingDigits("test").labels)) == {100}
    assert len(MovingDigits.class_names) == 10


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("moves left", 0, -1), ("moves right", 0, 1), ("rises", 1, -1), ("falls", 1, 1)]
)
def test_what_moves_does_so_in_its_direction(motion: str, axis: int, sign: int) -> None:
    way = centres(clip(MovingDigits("train"), motion))
    along = sign * (way[-1, axis] - way[0, axis])
    assert along > 4
    assert abs(way[-1, 1 - axis] - way[0, 1 - axis]) < along / 2


def test_what_appears_was_not_there_and_what_grows_becomes_larger() -> None:
    data = MovingDigits("train")

    def lit(motion: str) -> np.ndarray:
        pixels: np.ndarray = (clip(data, motion) > 60).sum((1, 2))
        return pixels

    assert lit("appears")[0] == 0 < lit("appears")[-1]
    assert lit("vanishes")[-1] == 0 < lit("vanishes")[0]
    assert lit("grows")[-1] > 1.5 * lit("grows")[0]
    assert lit("shrinks")[0] > 1.5 * lit("shrinks")[-1]


def test_they_can_be_written_as_gifs_of_the_same_frames(tmp_path: Path) -> None:
    data = MovingDigits("test", clips=10)
    data.save(tmp_path)
    read = ClipFolder(tmp_path)
    assert read.class_names == data.class_names
    for index in range(10):
        frames = list(data.frames(int(np.flatnonzero(data.labels == read.labels[index])[0])))
        for frame, written in zip(frames, read.frames(index), strict=True):
            np.testing.assert_allclose(written[..., 0].astype(int), frame, atol=1)
