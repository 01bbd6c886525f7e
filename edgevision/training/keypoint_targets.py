"""What a network for points learns: the loss of its answer, and the head that leads back to points."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models import PointRegressor
from edgevision.runtime.tasks.keypoints.spec import Activation, Coding, KeypointHead, Refinement, Unit
from edgevision.training.keypoint_data import KeypointBatch

_DISTANCE = 0.3
"""How much the distance from the mean place counts beside the cross-entropy."""


class KeypointTarget(ABC):
    """What a network says of points.

    Attributes:
        output: the name of what the network gives.
        head: how that becomes points.
    """

    output: ClassVar[str]
    head: KeypointHead

    @abstractmethod
    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """That of one picture's answer, to an input of ``height`` x ``width``."""

    @abstractmethod
    def loss(self, answer: Tensor, batch: KeypointBatch) -> Tensor:
        """Of what the network gives, float32, on average over the points that are known."""


class HeatmapTarget(KeypointTarget):
    """How likely a point is in each cell; ``sigma`` is how wide it is to be spread, in cells."""

    output = "heatmaps"

    def __init__(self, points: int, *, stride: int, reach: int, sigma: float) -> None:
        self.head = KeypointHead(
            coding=Coding.HEATMAPS,
            outputs=(self.output,),
            points=points,
            refinement=Refinement.MEAN,
            beyond=float(reach),
            activation=Activation.SOFTMAX,
        )
        self._stride, self._reach, self._sigma = stride, reach, sigma

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        return self.head.points, *(side // self._stride + 2 * self._reach for side in (height, width))

    def loss(self, answer: Tensor, batch: KeypointBatch) -> Tensor:
        """Cross-entropy with a Gaussian round each known point, and how far the mean place is from it, in cells."""
        rows, columns = answer.shape[2:]
        places = self._cells(batch.points, rows, columns)
        along = [self._spread(places[:, :, axis], count) for axis, count in enumerate((columns, rows))]
        total = answer.flatten(2).logsumexp(dim=2)
        # The Gaussian is the product of one along x and one along y, so that no map of it is needed.
        said = (torch.matmul(answer, along[0][:, :, :, None])[:, :, :, 0] * along[1]).sum(dim=2)
        likely = (answer - total[:, :, None, None]).exp()
        means = [
            likely.sum(dim=2 + axis) @ torch.arange(count, dtype=answer.dtype, device=answer.device)
            for axis, count in enumerate((columns, rows))
        ]
        distance = (torch.stack(means, dim=2) - places).abs().sum(dim=2)
        return _mean_of_known(total - said + _DISTANCE * distance, batch.visible)

    def _cells(self, points: Tensor, rows: int, columns: int) -> Tensor:
        """Places in cells of the maps, in which the middle of the first is 0; what is beyond them is at their ends."""
        counts = torch.tensor([columns, rows], dtype=points.dtype, device=points.device)
        cells = points * (counts - 2 * self.head.beyond) + self.head.beyond - self.head.cell_offset
        return torch.minimum(cells.clamp(min=0), counts - 1)

    def _spread(self, places: Tensor, count: int) -> Tensor:
        """(N, K, count) of sum 1: a Gaussian round each place (N, K)."""
        distance = torch.arange(count, device=places.device) - places[:, :, None]
        return F.softmax(-0.5 * (distance / self._sigma).square(), dim=-1)


class PlaceTarget(KeypointTarget):
    """Where each point is, in shares of the input's sides."""

    output = "points"
    bend = 10 / 256
    """Where the wing ends, in shares: 10 pixels of the published 256."""
    curvature = 2 / 256

    def __init__(self, points: int) -> None:
        self.head = KeypointHead(coding=Coding.POINTS, outputs=(self.output,), points=points, unit=Unit.SHARES)

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        return self.head.points, 2

    def loss(self, answer: Tensor, batch: KeypointBatch) -> Tensor:
        """The wing loss (Feng et al. 2018, equation 5) over its ``bend``: small errors count more than they would."""
        error = (answer - batch.points).abs() / self.bend
        curvature = self.curvature / self.bend
        wing = torch.log1p(error / curvature)
        end = torch.log1p(torch.tensor(1 / curvature, device=error.device))
        return _mean_of_known(torch.where(error < 1, wing, error - 1 + end).sum(dim=2), batch.visible)


def keypoint_target(network: nn.Module, points: int, sigma: float) -> KeypointTarget:
    """What a network of the project says of so many points; ``sigma`` is for heat maps."""
    if isinstance(network, PointRegressor):
        return PlaceTarget(points)
    return HeatmapTarget(
        points,
        stride=network.stride,  # type: ignore[arg-type]
        reach=network.reach,  # type: ignore[arg-type]
        sigma=sigma,
    )


def _mean_of_known(errors: Tensor, known: Tensor) -> Tensor:
    """That of ``errors`` (N, K) where ``known`` bool (N, K) says so."""
    return (errors * known).sum() / known.sum().clamp(min=1)
