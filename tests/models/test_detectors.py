"""The networks of detectors."""

import pytest
import torch

from edgevision.core.errors import InputError
from edgevision.models import DETECTORS, PyramidClassifier, PyramidDetector, build_model


@pytest.mark.parametrize("depthwise", [False, True])
def test_every_cell_of_three_strides_tells_a_box_and_its_classes(depthwise: bool) -> None:
    network = PyramidDetector(num_classes=5, bins=8, depthwise=depthwise).eval()
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


def test_untrained_hardly_anything_is_found() -> None:
    network = PyramidDetector(num_classes=3).eval()
    with torch.inference_mode():
        scores = network(torch.rand(1, 3, 64, 64))[1].sigmoid()
    assert scores.max() < 0.1


@pytest.mark.parametrize("name", DETECTORS)
def test_by_default_it_is_small_enough_to_ship(name: str) -> None:
    weights = sum(parameter.numel() for parameter in build_model(name, num_classes=20).parameters())
    assert 300_000 <= weights <= 750_000


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="widths are of 5 strides"):
        build_model("pyramid_detector", widths=[8, 16])
