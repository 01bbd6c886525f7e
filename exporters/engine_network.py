"""A model on an engine, called like a PyTorch network: what is found out of those by running them serves it too."""

from typing import Any

import torch
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, Prediction
from edgevision.runtime.engines.engine import Engine


class EngineNetwork(nn.Module):
    """``engine`` for the model of ``metadata``; it has no derivatives.

    Pictures are taken and given in 0..1 (a predicted noise around 0), whatever the model's own range is, so that
    differences mean the same for all. Masks, latents and classes are taken as they are.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        super().__init__()
        self._engine = engine
        restoration = metadata.restoration
        self._black, self._white = (metadata.inputs[0].value_range if metadata.image else None) or (0.0, 1.0)
        self._low, self._high = (restoration.output_range if restoration else None) or (self._black, self._white)
        if restoration is not None and restoration.predicts is Prediction.NOISE:
            self._low, self._high = 0.0, self._white - self._black

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """The first output; :class:`InputError` where the model does not take these sizes."""
        scaled = first * (self._white - self._black) + self._black
        names = [spec.name for spec in self._engine.inputs]
        arrays: list[Any] = [tensor.detach().numpy() for tensor in (scaled, *others)]
        try:
            output = self._engine.run(dict(zip(names, arrays, strict=True)))[0]
        except ValueError as error:
            raise InputError(str(error)) from error
        found: Tensor = (torch.from_numpy(output).float() - self._low) / (self._high - self._low)
        return found
