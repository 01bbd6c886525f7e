"""What a quantised generator draws is shown beside what the float one draws."""

from collections.abc import Mapping

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.tasks.generation.quality import GeneratorQuality
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.quality import WithExamples

LATENT = TensorSpec(name="latent", shape=("batch", 2))
PICTURE = TensorSpec(name="image", shape=("batch", 3, 4, 4), value_range=(-1.0, 1.0))
METADATA = ModelMetadata(
    task="generate",
    name="tiny",
    inputs=(LATENT,),
    outputs=(PICTURE,),
    spec=GenerationSpec(latent=LatentSpec(size=2)),
)


def drawing(shade: float) -> FakeEngine:
    def run(feeds: Mapping[str, Array]) -> list[Array]:
        return [np.full((len(feeds["latent"]), 3, 4, 4), shade, np.float32)]

    return FakeEngine((LATENT,), (PICTURE,), run)


def test_the_first_pictures_of_a_seed_are_examples() -> None:
    measure = GeneratorQuality(drawing(1.0), METADATA, [np.zeros((3, 2), np.float32)])
    assert isinstance(measure, WithExamples)
    assert measure(drawing(0.9)).loss == pytest.approx(-20, abs=1e-4)
    examples = measure.examples(drawing(0.0))
    assert [example.name for example in examples] == [f"picture {index}" for index in range(8)]
    pixels = examples[3].picture()
    assert (pixels.dtype, pixels.shape, set(np.unique(pixels))) == (np.uint8, (4, 4, 3), {128})
