"""The classifier in whose features generated pictures are compared with real ones."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Closeable, Engine
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.classification.task import CLASSIFY

_BATCH = 32


class FeatureClassifier(Closeable):
    """A classifier with an output ``features``, (N, D), beside its logits, as ``export --part features`` makes it.

    Attributes:
        name: the model's.
        labels: the classes it tells apart.
        side: (height, width) to which it brings what it sees.
        size: D.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        """Use ``engine``, which this closes in turn; :class:`ModelFileError` for a model without features."""
        names = [spec.name for spec in engine.outputs]
        image = metadata.image
        if metadata.task != CLASSIFY.name or "features" not in names or image is None or image.size is None:
            raise ModelFileError(
                f"{metadata.name!r} shows no features, so it cannot judge; edgevision export CLASSIFIER.pt"
                " --part features makes a model that does"
            )
        self.engine = engine
        self.name = metadata.name
        self.labels = metadata.spec_as(ClassificationSpec).labels
        self.side = image.size
        self._features = names.index("features")
        self.size = int(engine.outputs[self._features].shape[1])
        self._preprocess = Preprocessor(image)

    @classmethod
    def open(cls, model: str | os.PathLike[str], *, threads: int | None = None) -> Self:
        """From a model file, on the CPU; raises as :func:`edgevision.load` and as the constructor."""
        path = Path(model)
        metadata = require_metadata(path)
        engine = open_engine(path, threads=threads)
        try:
            return cls(engine, metadata)
        except Exception:
            engine.close()
            raise

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The features (N, D) of pictures uint8 (H, W, 1 or 3), and the index among ``labels`` each is taken for (N,).

        Pictures of another size are resized as the classifier's own input is, gray ones are seen as colour ones.
        """
        tensors = np.stack([self._preprocess(picture) for picture in pictures])
        outputs = run_batched(self.engine, [tensors], most=_BATCH)
        features: NDArray[np.float32] = outputs[self._features].astype(np.float32)
        return features, outputs[0].argmax(axis=1)

    def close(self) -> None:
        """Free the model's memory."""
        self.engine.close()
