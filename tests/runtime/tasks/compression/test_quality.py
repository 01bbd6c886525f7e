"""How much worse the half of a codec is: bits and PSNRs that are known beforehand."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image
from small_codec import compressor, decompressor

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageFolder
from edgevision.runtime.tasks.compression import evaluation, quality
from edgevision.runtime.tasks.compression.evaluation import CompressedPictureQuality, CompressionReport
from edgevision.runtime.tasks.compression.quality import CodecQuality
from edgevision.runtime.tasks.compression.task import DECOMPRESS
from edgevision.runtime.tasks.evaluation import EvaluationOptions

# Of two pictures in two qualities, bits a pixel and PSNR: twice the bits give 3 dB.
FLOAT = (((0.2, 26.0), (0.8, 32.0)), ((0.1, 30.0), (0.4, 36.0)))


def report(pictures, failures=()):
    def figures(pairs):
        return tuple({"bits_per_pixel": bits, "psnr": psnr} for bits, psnr in pairs)

    return CompressionReport(
        images=len(pictures),
        qualities=figures(np.mean(pictures, axis=0)),
        pictures=tuple(
            CompressedPictureQuality(name=f"{n}.png", qualities=figures(one)) for n, one in enumerate(pictures)
        ),
        failures=dict.fromkeys(failures, "damaged"),
    )


@pytest.fixture
def judged(monkeypatch):
    """What the measure says of a form that does so much with the pictures of the float model, whose report is FLOAT."""

    def judge(form):
        before, after = compressor(), compressor()

        def evaluate(half, pictures, options):
            if half.engine is before.engine:
                return report(FLOAT)
            if form is None:
                raise DatasetError("not one")
            return form

        monkeypatch.setattr(quality, "evaluate_codec", evaluate)
        return CodecQuality(before.engine, before.metadata, None, EvaluationOptions())(after.engine)

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
    found = judged(report(changed(bits, psnr)))
    assert found.loss == pytest.approx(loss)
    assert found.figures == pytest.approx({"psnr": 31 - loss, "bits_per_pixel": bits * 0.375})
    assert found.bound.pictures == 2
    assert found.bound.reach == pytest.approx(0, abs=1e-9)


def test_pictures_that_lose_differently_leave_the_loss_unsure(judged):
    found = judged(report([[(b, p - lost) for b, p in one] for one, lost in zip(FLOAT, (0.0, 0.4), strict=True)]))
    assert found.loss == pytest.approx(0.2)
    assert found.bound.reach > 0.2


def test_a_form_that_fails_on_pictures_of_the_float_model_loses_all(judged):
    for form in (None, report(FLOAT[:1], failures=["1.png"])):
        found = judged(form)
        assert (found.loss, found.bound) == (math.inf, None)
        assert math.isnan(found.figures["psnr"])


def test_a_decoder_is_judged_through_the_codec_with_its_other_half(monkeypatch, tmp_path):
    for number in range(2):
        Image.new("RGB", (64, 64), (102, 102, 102)).save(tmp_path / f"{number}.png")
    monkeypatch.setattr(evaluation, "open_other_half", lambda half, judge, threads: nullcontext(compressor()))

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
