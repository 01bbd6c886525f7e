"""Videos made up for tests: each frame says its number in the height of a bright bar."""

from fractions import Fraction

import av
import numpy as np

SIZE = (64, 48)
"""Width and height."""


def numbered(number, size=SIZE):
    """RGB in which row ``number`` of 16 is bright; the left third is red, so that a turn is seen."""
    width, height = size
    pixels = np.full((height, width, 3), 40, np.uint8)
    top = (number % 16) * height // 16
    pixels[top : top + height // 16] = 220
    pixels[:, : width // 3] = pixels[:, : width // 3] * [1, 0.3, 0.3]
    return pixels


def number_in(pixels):
    """What :func:`numbered` drew."""
    right = pixels[:, pixels.shape[1] // 2 :].mean(axis=(1, 2))
    rows = right.reshape(16, -1).mean(axis=1)
    return int(rows.argmax())


def write_clip(path, count=12, *, size=SIZE, times=None, rotation=0, sound=False, codec="libx264", coding=(1, 1)):
    """``count`` frames, at ``times`` in seconds where they are given, else 10 a second."""
    matrix, levels = coding
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"crf": "10"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, levels
        if rotation:
            stream.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        reformatter = av.video.reformatter.VideoReformatter()
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), format="rgb24")
            frame = reformatter.reformat(frame, format="yuv420p", dst_colorspace=matrix, dst_color_range=levels)
            time = Fraction(number, 10) if times is None else times[number]
            frame.pts, frame.time_base = round(time * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            tone = (8000 * np.sin(np.arange(800 * count) / 5)).astype(np.int16)[None]
            wave = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            container.mux(audio.encode(wave))
            container.mux(audio.encode(None))
    return path


CODE_BITS = 16


def coded(number, size=SIZE):
    """RGB with a time code: ``number`` in bars from top to bottom, the lowest bit at the left, bright for 1."""
    width, height = size
    bits = [number >> bit & 1 for bit in range(CODE_BITS)]
    row = np.repeat(np.array([230 if bit else 20 for bit in bits], np.uint8), width // CODE_BITS)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def code_in(pixels):
    """What :func:`coded` drew."""
    bars = pixels.mean(axis=(0, 2)).reshape(CODE_BITS, -1).mean(axis=1)
    return int(sum(1 << bit for bit, light in enumerate(bars) if light > 127))
