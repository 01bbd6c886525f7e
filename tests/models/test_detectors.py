"""The networks of detectors."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from edgevision.core.errors import InputError
from edgevision.models import DETECTORS, CspDetector, PyramidClassifier, PyramidDetector, build_model

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "dense": PyramidDetector,
    "depthwise": partial(PyramidDetector, depthwise=True),
    "cross-stage": CspDetector,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_cell_of_three_strides_tells_a_box_and_its_classes(name: str) -> None:
    network = NETWORKS[name](num_classes=5, bins=8).eval()
    with torch.inference_mode():
        boxes, scores = network(torch.rand(2, 3, 96, 160))
    cells = 12 * 20 + 6 * 10 + 3 * 5
    assert boxes.shape == (2, 4 * 8, cells)
    assert scores.shape == (2, 5, cells)


def test_a_classifier_of_the_same_widths_has_the_detectors_backbone() -> None:
    options = {"widths": (8, 8, 8, 16, 16), "blocks": (1, 0, 1, 1)}
    detector, classifier = PyramidDetector(**options), PyramidClassifier(num_classes=4, **options)
    own, other = detector.state_dict(), classifier.state_dict()
    assert {name for name in other if name not in own} == {"classifier.weight", "classifier.bias"}
    assert all(own[name].shape == weights.shape for name, weights in other.items() if name in own)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = NETWORKS[name]()
    boxes, scores = network(torch.rand(2, 3, 64, 64))
    (boxes.square().sum() + scores.square().sum()).backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in network.parameters())


@pytest.mark.parametrize("name", DETECTORS)
def test_untrained_hardly_anything_is_found(name: str) -> None:
    network = build_model(name, num_classes=3).eval()
    with torch.inference_mode():
        scores = network(torch.rand(1, 3, 64, 64))[1].sigmoid()
    assert scores.max() < 0.1


@pytest.mark.parametrize("name", DETECTORS)
def test_by_default_it_is_small_enough_to_ship(name: str) -> None:
    weights = sum(parameter.numel() for parameter in build_model(name, num_classes=20).parameters())
    assert 300_000 <= weights <= 750_000


@pytest.mark.parametrize("name", DETECTORS)
def test_widths_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="widths are of 5 strides"):
        build_model(name, widths=[8, 16])
