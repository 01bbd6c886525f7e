"""What a large picture takes beside its own samples does not grow with it."""

import tracemalloc

import numpy as np
import pytest

from edgevision.imaging import tiling
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TileSpec
from edgevision.runtime.tasks.restoration.inpainter import Inpainter
from edgevision.runtime.tasks.restoration.restorer import Restorer

HEIGHT, WIDTH = 768, 512
SAMPLES = HEIGHT * WIDTH * 3
MEMORY = 1 << 19


def metadata(task):
    return ModelMetadata(task=task, name="m", image=ImageSpec(), tile=TileSpec(overlap=2, memory=100))


def peak(work):
    """The bytes that ``work`` holds at most at once, numpy's included."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def picture():
    return Picture(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


@pytest.mark.parametrize(("in_place", "results"), [(True, 0), (False, 1)])
def test_restoring_takes_a_row_of_tiles_and_the_result(picture_engine, in_place, results):
    restorer = Restorer(picture_engine(lambda image: image), metadata("denoise"), memory=MEMORY)
    content = picture()
    taken = peak(lambda: restorer(content, in_place=in_place))
    assert taken <= results * SAMPLES + 2 * MEMORY


def test_inpainting_takes_the_coarser_copies_and_little_more(picture_engine, monkeypatch):
    monkeypatch.setattr(tiling, "_STRIP", 1 << 13)
    engine = picture_engine(lambda image, mask: image, mask=True)
    inpainter = Inpainter(engine, metadata("inpaint"), memory=MEMORY)
    content, holes = picture(), np.zeros((HEIGHT, WIDTH), bool)
    holes[::50, ::50] = True
    taken = peak(lambda: inpainter(content, holes, in_place=True))
    # Copies of half the sides, a quarter and so on, in float32, would be 4/3 of it; one of the picture 4 times as much.
    assert taken <= 1.5 * SAMPLES + 2 * MEMORY
