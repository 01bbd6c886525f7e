"""Points of strangers' networks, coded as they code them: the layout is told from the outputs, and they come back."""

import numpy as np
import pytest

from edgevision.core.errors import InputError
from edgevision.exporters.network_facts import detection_layouts
from edgevision.exporters.network_facts.head_layouts import Sample, recognised
from edgevision.exporters.network_facts.keypoint_layouts import LAYOUTS
from edgevision.runtime.tasks.keypoints.decoding import decode_points

DRAW = np.random.default_rng(0)


def told(outputs, side):
    sample = Sample(outputs, side, side, 0)
    return recognised(sample, LAYOUTS, None, "docs/keypoints.md", {"detect": detection_layouts.LAYOUTS})


def decoded(outputs, side):
    spec = told(outputs, side)
    return spec, decode_points(spec.head, outputs, side, side)


def test_movenet_says_y_before_x_and_a_score():
    shares = DRAW.random((17, 3)).astype(np.float32)
    spec, found = decoded({"output_0": shares[None, None]}, 192)
    assert (spec.layout, spec.thing) == ("movenet", "person")
    np.testing.assert_allclose(found, shares[:, [1, 0, 2]], atol=1e-6)


@pytest.mark.parametrize(
    ("points", "side", "thing"), [(468, 192, "face"), (478, 256, "face"), (21, 224, "hand"), (39, 256, "person")]
)
def test_mediapipes_points_have_a_depth_that_is_no_score(points, side, thing):
    table = DRAW.uniform(0, side, (points, 3)).astype(np.float32)
    table[:, 2] -= side / 2
    if thing == "person":
        table = np.concatenate([table, np.full((points, 2), 9, np.float32)], axis=1)
    outputs = {"Identity": table.reshape(1, -1), "Identity_1": np.ones((1, 1), np.float32)}
    if thing == "hand":
        outputs["Identity_world"] = DRAW.normal(0, 0.1, (1, 3 * points)).astype(np.float32)
    spec, found = decoded(outputs, side)
    assert (spec.layout, spec.thing, spec.head.outputs) == ("mediapipe", thing, ("Identity",))
    np.testing.assert_allclose(found[:, :2] * side, table[:, :2], rtol=1e-4)
    assert found[:, 2].min() > 0.99


def test_boxes_with_points_are_a_detectors():
    rows = np.concatenate([DRAW.uniform(8, 56, (1, 84, 4)), DRAW.random((1, 84, 1)), 64 * DRAW.random((1, 84, 51))], 2)
    with pytest.raises(InputError, match="are yolov8-pose, which is for --task detect"):
        told({"output0": rows.astype(np.float32).transpose(0, 2, 1)}, 64)
