"""A PyTorch network behind the runtime's engine protocol, so that everything that runs a model can run the original."""

from collections.abc import Mapping

import torch
from torch import nn

from edgevision.core.errors import CheckpointError
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Array, Closeable


class TorchEngine(Closeable):
    """``network`` on the CPU in fp32; its inputs and outputs are named as in the exported model."""

    device = "cpu"
    provider = "eager"
    assignment = Assignment.of("cpu", ())

    def __init__(self, network: nn.Module, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.name = f"PyTorch {torch.__version__.split('+')[0]}"
        self.inputs = inputs
        self.outputs = outputs
        self._network: nn.Module | None = network

    @torch.inference_mode()
    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, float32; raises as :meth:`edgevision.runtime.engines.engine.Engine.run`."""
        assert self._network is not None
        tensors = [torch.from_numpy(feeds[spec.name]) for spec in self.inputs]
        try:
            outputs = self._network(*tensors)
        except RuntimeError as error:
            raise ValueError(f"the network does not take this input: {error}") from error
        return [output.numpy() for output in flatten_outputs(outputs)]

    def close(self) -> None:
        self._network = None


def flatten_outputs(outputs: object) -> list[torch.Tensor]:
    """The tensors a network returned, alone, in a tuple or in a dict, in the order the exporters write them."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        outputs = tuple(outputs.values())
    if isinstance(outputs, tuple | list):
        return [tensor for output in outputs for tensor in flatten_outputs(output)]
    raise CheckpointError(f"the network returns {type(outputs).__name__}; an exportable one returns tensors")
