"""Reconstruction: a picture to the code of a variational autoencoder, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.imaging.images import ImageSource, read_image, to_array
from edgevision.imaging.network_tensors import NetworkTensors
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor, resize
from edgevision.modelfiles.metadata import Color, ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.finite_outputs import require_finite
from edgevision.runtime.tasks.pipeline import Pipeline


class Encoder(Pipeline):
    """The encoder of an autoencoder on an engine; call it on a picture for its code.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``, which this closes in turn; :class:`ModelFileError` without a description of the picture."""
        if metadata.image is None or metadata.image.size is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        self.engine = engine
        self.metadata = metadata
        self._preprocess = Preprocessor(metadata.image)

    def __call__(self, source: ImageSource) -> NDArray[np.float32]:
        """The code, float32 (size,); :class:`ImageError` where the picture cannot be decoded."""
        code: NDArray[np.float32] = self._run(source)[-1][0]
        return code

    def _run(self, source: ImageSource) -> list[Any]:
        outputs = run_batched(self.engine, [self._preprocess(source)[None]])
        return [require_finite(output, self.engine) for output in outputs]


class Reconstructor(Encoder):
    """A whole autoencoder on an engine; call it on a picture for its reconstruction and its code."""

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """As :class:`Encoder`."""
        super().__init__(engine, metadata)
        assert metadata.image is not None
        self._image = metadata.image
        self._tensors = NetworkTensors(metadata.image)

    def __call__(self, source: ImageSource) -> tuple[Picture, NDArray[np.float32]]:  # type: ignore[override]
        """The picture at the network's size, and the code, float32 (size,)."""
        picture = resize(read_image(source), self._image)
        image, code = self._run(picture)[:2]
        # Colours that the network does not have are the picture's own.
        own = to_array(picture, Color.GRAY if self._image.color is Color.GRAY else Color.RGB)
        rows = self._tensors.in_picture_colors(self._tensors.from_tensor(image), own)
        return Picture(np.clip(np.rint(rows * 255), 0, 255).astype(np.uint8)), code[0]
