"""Say what is going on after each frame: in a clip, and in frames as they come from a camera.

    python examples/watch_frames.py

The model that ships for it knows ten motions of a digit; one of your own comes from `edgevision train sequence`.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import edgevision

SIDE, LENGTH = 32, 16


def frames(step_x: float, step_y: float) -> list[np.ndarray]:
    """A gray clip of a digit that moves so far in each frame, uint8 (32, 32) each, in the noise of a camera."""
    noise = np.random.default_rng(0)
    clip = []
    for number in range(LENGTH):
        picture = Image.new("L", (SIDE, SIDE))
        place = SIDE / 2 + step_x * (number - LENGTH / 2), SIDE / 2 + step_y * (number - LENGTH / 2)
        ImageDraw.Draw(picture).text(place, "3", fill=200, font=ImageFont.load_default(16), anchor="mm")
        clip.append(np.clip(np.asarray(picture) + noise.normal(0, 8, (SIDE, SIDE)), 0, 255).astype(np.uint8))
    return clip


with edgevision.load("sequence") as classify:
    # Of a clip the answer after its last frame counts; a path to a video, a GIF or a folder of frames does as well.
    answer = classify(iter(frames(1.0, 0.0)))
    print(f"{answer.last.label}, {100 * answer.last.probability:.1f} %")

    # What never ends is watched: one frame's work for each, and what is remembered does not grow.
    watched = classify.watch()
    for number, frame in enumerate(frames(0.0, -0.8)):
        result = watched.next(frame)
        print(number, result.label, f"{100 * result.probability:.1f} %")
