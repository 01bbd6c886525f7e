"""Results of a stream's frames are steady where the frames are, and those of each frame by itself where it moved."""

import numpy as np
import pytest

from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.restoration.steadiness import Steadiness

HEIGHT, WIDTH = 70, 90


def scene(count, noise, *, light=lambda pixels: 1.0, seed=0):
    """A still ramp with a square that crosses it, and noise: frames (H, W, 3) uint8, and where the square is or was."""
    generator = np.random.default_rng(seed)
    ramp = np.broadcast_to(np.linspace(40, 200, WIDTH)[None, :, None], (HEIGHT, WIDTH, 3))
    frames, moved = [], []
    for number in range(count):
        clean, where = ramp.copy(), np.zeros((HEIGHT, WIDTH), bool)
        clean[20:36, 6 * number : 6 * number + 16] = (250, 10, 120)
        where[20:36, max(0, 6 * number - 6) : 6 * number + 16] = True
        noisy = clean + noise * light(clean) * generator.normal(size=clean.shape)
        frames.append(noisy.round().clip(0, 255).astype(np.uint8))
        moved.append(where)
    return frames, moved


def flicker(frames, where):
    pairs = zip(frames[1:], frames[:-1], where[1:], strict=True)
    return np.mean([np.abs(now.astype(float) - then)[~place].mean() for now, then, place in pairs])


@pytest.mark.parametrize("noise", [0, 1, 4, 12])
def test_what_stands_still_is_steady_and_what_moves_is_new(noise):
    frames, moved = scene(12, noise)
    generator = np.random.default_rng(1)
    made = [np.repeat(np.repeat(255 - frame, 2, 0), 2, 1) for frame in frames]
    made = [(each + generator.normal(0, 20, each.shape)).clip(0, 255).astype(np.uint8) for each in made]
    steady = Steadiness(0.9)
    shown = [steady.picture(frame, Picture(each)).pixels for frame, each in zip(frames, made, strict=True)]
    twice = [place.repeat(2, 0).repeat(2, 1) for place in moved]
    assert np.array_equal(shown[0], made[0])
    assert flicker(shown, twice) < 0.25 * flicker(made, twice)
    for now, alone, place in zip(shown[1:], made[1:], twice[1:], strict=True):
        assert np.array_equal(now[place], alone[place])


def test_noise_that_grows_with_light_is_noise_everywhere():
    frames, moved = scene(12, 6, light=lambda pixels: np.sqrt(pixels / 60))
    steady = Steadiness(0.9)
    shown = [steady.picture(frame, Picture(frame)).pixels for frame in frames]
    assert flicker(shown, moved) < 0.25 * flicker(frames, moved)


@pytest.mark.parametrize("noise", [0, 4])
def test_nothing_of_a_scene_is_left_behind_a_cut(noise):
    before, _ = scene(6, noise)
    after = [frame[::-1, ::-1] for frame in scene(3, noise, seed=1)[0]]
    steady = Steadiness(0.95)
    shown = [steady.picture(frame, Picture(frame)).pixels for frame in [*before, *after]]
    changed = np.abs(after[0].astype(int) - before[-1]).max(axis=2) > 60
    assert np.array_equal(shown[6][changed], after[0][changed])


def test_what_moves_slowly_leaves_no_trace():
    """A ramp that brightens by half a level a frame: each change is less than noise, all together are not."""
    frames = [np.full((HEIGHT, WIDTH, 3), 60 + number // 2, np.uint8) for number in range(120)]
    steady = Steadiness(0.99)
    shown = [steady.picture(frame, Picture(frame)).pixels.astype(int) for frame in frames]
    assert max(np.abs(now - frame).max() for now, frame in zip(shown, frames, strict=True)) <= 4


def test_frames_of_another_size_begin_anew_and_depth_is_kept():
    steady = Steadiness(0.9)
    large = np.full((9, 11, 3), 40_000, np.uint16)
    for pixels in (large, large + 100, large[:5], large[:5, :3, :1]):
        shown = steady.picture(pixels, Picture(pixels)).pixels
        assert (shown.dtype, shown.shape) == (pixels.dtype, pixels.shape)
    assert np.array_equal(shown, pixels)
    one = np.zeros((1, 1, 3), np.uint8)
    for _ in range(2):
        assert np.array_equal(steady.picture(one, Picture(one)).pixels, one)
