"""How much worse the half of a codec is: bits and PSNRs that are known beforehand."""

import math
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image
from small_codec import compressor, decompressor

from edgevision.core.errors import ImageError
from edgevision.data.datasets import ImageFolder
from edgevision.runtime.tasks.compression import other_half, quality
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.quality import CodecQuality
from edgevision.runtime.tasks.compression.task import DECOMPRESS
from edgevision.runtime.tasks.evaluation import EvaluationOptions

# Of two pictures in two qualities, bits a pixel and PSNR: twice the bits give 3 dB.
FLOAT = (((0.2, 26.0), (0.8, 32.0)), ((0.1, 30.0), (0.4, 36.0)))


class Half:
    """A half of a codec of two qualities whose files are named by picture and quality."""

    qualities = 2

    def __init__(self, engine):
        self.engine = engine

    def __call__(self, picture, quality):
        number = int(picture.pixels[0, 0, 0])
        if number >= len(PICTURES[self.engine]) or not PICTURES[self.engine][number]:
            raise ImageError("damaged")
        return self.engine, number, quality - 1

    def every_quality(self, picture):
        return [self(picture, quality=1), self(picture, quality=2)]


PICTURES = {}
"""Bits a pixel and PSNR of each engine's pictures, by quality."""


@pytest.fixture
def judged(monkeypatch, tmp_path):
    """What the measure says of a form that does so much with the pictures of the float model, of which all is FLOAT."""
    for number in range(2):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")

    def figures(decompressor, file, picture):
        engine, number, quality = file
        return dict(zip(("bits_per_pixel", "psnr"), PICTURES[engine][number][quality], strict=True))

    def judge(form):
        before, after = compressor(), compressor()
        PICTURES.clear()
        PICTURES.update({before.engine: FLOAT, after.engine: form})
        monkeypatch.setattr(
            quality, "open_codec", lambda half, judge, threads: nullcontext((Half(half.engine), Half(None)))
        )
        monkeypatch.setattr(quality, "restored_figures", figures)
        measure = CodecQuality(before.engine, before.metadata, ImageFolder(tmp_path), EvaluationOptions())
        return measure(after.engine)

    return judge


def changed(bits, psnr):
    return [[(bits * b, psnr + p) for b, p in picture] for picture in FLOAT]


@pytest.mark.parametrize(
    ("bits", "psnr", "loss"),
    [
        (1, 0, 0),
        (1, -0.5, 0.5),
        # Twice the bits for nothing cost what they would have bought.
        (2, 0, 3),
        # A form that only moves along the curve of the float model loses nothing.
        (0.5, -3, 0),
        (2, 3.25, -0.25),
    ],
)
def test_bits_count_as_the_decibels_they_would_have_bought(judged, bits, psnr, loss):
    found = judged(changed(bits, psnr))
    assert found.loss == pytest.approx(loss)
    # The first picture in the first quality, the second in the second.
    assert found.figures == pytest.approx({"psnr": (26 + 36) / 2 - loss, "bits_per_pixel": bits * (0.2 + 0.4) / 2})
    assert found.bound.pictures == 2
    assert found.bound.reach == pytest.approx(0, abs=1e-9)


def test_pictures_that_lose_differently_leave_the_loss_unsure(judged):
    found = judged([[(b, p - lost) for b, p in one] for one, lost in zip(FLOAT, (0.0, 0.4), strict=True)])
    assert found.loss == pytest.approx(0.2)
    assert found.bound.reach > 0.2


def test_a_form_that_fails_on_pictures_of_the_float_model_loses_all(judged):
    for form in ([(), ()], [FLOAT[0], ()]):
        found = judged(form)
        assert (found.loss, found.bound) == (math.inf, None)
        assert math.isnan(found.figures["psnr"])


def test_a_decoder_is_judged_through_the_codec_with_its_other_half(monkeypatch, tmp_path):
    for number in range(2):
        Image.new("RGB", (64, 64), (102, 102, 102)).save(tmp_path / f"{number}.png")
    other = compressor()
    files = Counter()
    compress = Compressor._compressed

    def counted(self, picture, qualities):
        files.update(qualities)
        return compress(self, picture, qualities)

    monkeypatch.setattr(Compressor, "_compressed", counted)
    monkeypatch.setattr(other_half, "open_other_half", lambda half, judge, threads: nullcontext(other))

    def painting(shade):
        half = decompressor()
        exact = half.engine._function
        half.engine._function = lambda inputs: [np.full_like(exact(inputs)[0], shade / 255)]
        return half

    near, far = painting(102 + 10), painting(102 + 20)
    options = EvaluationOptions()
    measure = DECOMPRESS.quality_measure(near.metadata, near.engine, (), ImageFolder(tmp_path), options)
    assert isinstance(measure, CodecQuality)
    assert (measure.metric, measure.unit, measure.budget) == ("psnr", "dB", 0.1)
    assert measure(near.engine).loss == 0
    found = measure(far.engine)
    assert found.loss == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert found.figures["psnr"] == pytest.approx(20 * math.log10(255 / 20), abs=1e-3)
    assert not near.engine.closed
    # Each picture was compressed once, in its turn of the qualities.
    assert files == {0: 1, 1: 1}
