"""How much worse a form of a generator is than the float model, and what both draw."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.quality import Example, OutputQuality
from edgevision.runtime.tasks.samples import Batch

_EXAMPLES = 8


class GeneratorQuality(OutputQuality):
    """SQNR of the pictures from the same latents."""

    def __init__(self, reference: Engine, metadata: ModelMetadata, inputs: Batch) -> None:
        super().__init__(reference, inputs)
        self._metadata = metadata

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The first pictures of a seed."""
        # The pipeline is not closed: that would close the engine, which is the caller's.
        drawn = Generator(engine, self._metadata)(_EXAMPLES).pixels
        return [Example(f"picture {index}", partial(np.asarray, pixels)) for index, pixels in enumerate(drawn)]
