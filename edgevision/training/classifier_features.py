"""What the project's own residual classifier sees in a picture: for losses, and to compare samples with pictures."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.models.cifar_resnet import CifarResNet
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import load_trained


class Features(NamedTuple):
    """The maps after each of the three ``stages``, their mean over all positions (N, 64), and the ``logits``."""

    stages: tuple[Tensor, Tensor, Tensor]
    pooled: Tensor
    logits: Tensor


class ClassifierFeatures(nn.Module):
    """A fixed :class:`CifarResNet` for colour pictures, gray ones being repeated, float32 (N, C, H, W) in 0..1."""

    def __init__(self, network: nn.Module, metadata: ModelMetadata) -> None:
        """Raises :class:`InputError` for another kind of network."""
        super().__init__()
        if not isinstance(network, CifarResNet) or metadata.image is None or metadata.image.color.channels != 3:
            raise InputError(f"comparing features needs a residual network for colour pictures, not {metadata.name}")
        self.network = network.eval().requires_grad_(False)
        self.labels = metadata.spec_as(ClassificationSpec).labels
        scale, offset = scale_and_offset(metadata.image)
        self.register_buffer("scale", torch.from_numpy(scale * 255), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)

    @classmethod
    def read(cls, path: str | Path) -> "ClassifierFeatures":
        """From a checkpoint of ``edgevision train classify``; errors as :func:`load_trained`."""
        return cls(*load_trained(Path(path)))

    def forward(self, images: Tensor) -> Features:
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        net: CifarResNet = self.network
        x = (images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images) * scale + offset
        first = net.layer1(torch.relu(net.bn1(net.conv1(x))))
        second = net.layer2(first)
        third = net.layer3(second)
        pooled = net.pool(third).flatten(1)
        return Features((first, second, third), pooled, net.linear(pooled))

    def train(self, mode: bool = True) -> "ClassifierFeatures":
        """Stays in evaluation mode: its statistics must not move."""
        return super().train(False)
