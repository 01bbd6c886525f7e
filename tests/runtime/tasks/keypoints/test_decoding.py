import numpy as np
import pytest

from edgevision.core.errors import ModelFileError
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.runtime.tasks.keypoints.spec import Activation, Coding, KeypointHead, Refinement, Unit

SIZE = (64, 48)


def head(coding, **more):
    outputs = ("x", "y") if coding is Coding.SIMCC else ("out",)
    return KeypointHead(coding=coding, outputs=outputs, **{"points": 1, **more})


def heatmap(values, **more):
    return decode_points(head(Coding.HEATMAPS, **more), {"out": np.array(values, np.float32)[None, None]}, *SIZE)[0]


def peak(x, y, rows=16, columns=12, sigma=1.5):
    down, right = np.mgrid[:rows, :columns]
    return np.exp(-((right - x) ** 2 + (down - y) ** 2) / (2 * sigma**2))


def in_cells(found, rows=16, columns=12):
    return found[0] * columns - 0.5, found[1] * rows - 0.5


def test_the_middle_of_the_highest_cell():
    found = heatmap(0.8 * peak(5, 9), refinement=Refinement.NONE)
    assert found == pytest.approx([5.5 / 12, 9.5 / 16, 0.8])


def test_a_quarter_towards_the_higher_neighbour():
    found = heatmap(peak(5.3, 8.8), refinement=Refinement.QUARTER)
    assert in_cells(found) == pytest.approx((5.25, 8.75), abs=1e-5)


def test_a_parabola_through_three_cells():
    line = np.array([[0, 1, 3, 2, 0]])  # peak at 2 + (2 - 1) / 2 / (6 - 1 - 2) = 2 + 1/6
    found = heatmap(np.repeat(line, 3, axis=0), refinement=Refinement.PARABOLA)
    assert found[0] * 5 - 0.5 == pytest.approx(2 + 1 / 6, abs=1e-5)


@pytest.mark.parametrize(("x", "y"), [(5.31, 8.77), (4.0, 9.0), (6.45, 7.52)])
def test_dark_finds_the_middle_of_a_gaussian(x, y):
    assert in_cells(heatmap(peak(x, y), refinement=Refinement.DARK)) == pytest.approx((x, y), abs=1e-3)
    assert in_cells(heatmap(peak(x, y), refinement=Refinement.DARK, blur=1.0)) == pytest.approx((x, y), abs=0.02)


@pytest.mark.parametrize("refinement", [r for r in Refinement if r is not Refinement.OFFSETS])
def test_a_peak_at_the_edge_and_a_flat_map_are_no_fault(refinement):
    for values in (peak(0, 0), peak(11, 15), np.zeros((16, 12)), np.ones((1, 1)), np.full((16, 12), -3.0)):
        assert np.isfinite(heatmap(values, refinement=refinement)).all()


def test_the_mean_of_a_softmax():
    logits = np.full((4, 4), -50.0)
    logits[1, 1] = logits[1, 2] = 0.0
    found = heatmap(logits, refinement=Refinement.MEAN, activation=Activation.SOFTMAX)
    assert found == pytest.approx([2 / 4, 1.5 / 4, 0.5], abs=1e-6)


def test_a_score_of_a_distribution_is_its_part_near_the_peak():
    """Within a tenth of the inner side: here 2 cells of 20 inside, beside 2 beyond at either end."""
    options = {"activation": Activation.SOFTMAX, "beyond": 2.0, "refinement": Refinement.MEAN}
    shares = np.full((24, 24), 0.3 / (24 * 24 - 4))
    shares[8, 9], shares[10, 9], shares[8, 11], shares[8, 12] = 0.4, 0.1, 0.1, 0.1
    expected = 0.4 + 0.1 + 0.1 + 22 * 0.3 / (24 * 24 - 4)
    assert heatmap(np.log(shares), **options)[2] == pytest.approx(expected, abs=1e-5)
    line = np.full(24, 0.2 / 21)
    line[8], line[10], line[11] = 0.4, 0.3, 0.1
    lines = {"x": np.log(line)[None], "y": np.zeros((1, 24))}
    lines = {name: np.asarray(values, np.float32)[None] for name, values in lines.items()}
    found = decode_points(head(Coding.SIMCC, **options), lines, *SIZE)[0]
    assert found[2] == pytest.approx(3 / 24, abs=1e-5)  # a flat line has its first cell for a peak: what is less counts
    lines["y"] = lines["x"]
    assert decode_points(head(Coding.SIMCC, **options), lines, *SIZE)[0][2] == pytest.approx(
        0.7 + 3 * 0.2 / 21, abs=1e-5
    )


def test_offsets_of_the_highest_cell():
    maps = np.zeros((3, 16, 12), np.float32)
    maps[0, 9, 5], maps[1, 9, 5], maps[2, 9, 5] = 1, 0.25, -0.5
    found = decode_points(
        head(Coding.HEATMAPS, refinement=Refinement.OFFSETS, cell_offset=0.0), {"out": maps[None]}, *SIZE
    )[0]
    assert found == pytest.approx([5.25 / 12, 8.5 / 16, 1])


def test_cells_beyond_the_picture():
    values = np.zeros((16, 12))
    values[0, 11] = 1  # 2 of 12 cells are beyond either end, so that 8 and 12 are inside
    found = heatmap(values, refinement=Refinement.NONE, beyond=2)
    assert found[:2] == pytest.approx([9.5 / 8, -1.5 / 12])


def test_channels_may_come_last():
    spec = head(Coding.HEATMAPS, refinement=Refinement.NONE, channels_last=True)
    found = decode_points(spec, {"out": peak(5, 9)[None, :, :, None].astype(np.float32)}, *SIZE)[0]
    assert found[:2] == pytest.approx([5.5 / 12, 9.5 / 16])


@pytest.mark.parametrize(
    ("unit", "values"), [(Unit.PIXELS, (12, 48)), (Unit.SHARES, (0.25, 0.75)), (Unit.CENTERED, (-0.5, 0.5))]
)
def test_regressed_points_in_every_unit(unit, values):
    found = decode_points(head(Coding.POINTS, unit=unit), {"out": np.array([values], np.float32)}, *SIZE)
    assert found[0] == pytest.approx([0.25, 0.75, 1])


def test_the_third_number_is_how_visible_a_point_is():
    spec = head(Coding.POINTS, unit=Unit.SHARES, point_width=3, points=2, activation=Activation.SIGMOID)
    found = decode_points(spec, {"out": np.array([[0.1, 0.2, 0, 0.3, 0.4, 100]], np.float32)}, *SIZE)
    assert found == pytest.approx(np.array([[0.1, 0.2, 0.5], [0.3, 0.4, 1]]))


def test_simcc_has_a_line_for_each_side():
    x, y = np.zeros((1, 1, 96), np.float32), np.zeros((1, 1, 128), np.float32)
    x[0, 0, 24], y[0, 0, 96] = 0.9, 0.7
    spec = head(Coding.SIMCC, refinement=Refinement.NONE, cell_offset=0.0)
    assert decode_points(spec, {"x": x, "y": y}, *SIZE)[0] == pytest.approx([0.25, 0.75, 0.7])


def test_scores_may_be_an_output_of_their_own():
    spec = head(Coding.POINTS, unit=Unit.SHARES, scores="seen", activation=Activation.SIGMOID)
    outputs = {"out": np.array([[0.5, 0.5]], np.float32), "seen": np.array([[0.0]], np.float32)}
    assert decode_points(spec, outputs, *SIZE)[0] == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("coding", "shape"), [(Coding.HEATMAPS, (1, 2, 4, 4)), (Coding.POINTS, (1, 3)), (Coding.HEATMAPS, (1, 6))]
)
def test_outputs_of_another_shape_are_refused(coding, shape):
    with pytest.raises(ModelFileError, match="1 points as"):
        decode_points(head(coding), {"out": np.zeros(shape, np.float32)}, *SIZE)


def test_an_output_that_is_not_there_is_named():
    with pytest.raises(ModelFileError, match=r"'out'.*'other'"):
        decode_points(head(Coding.POINTS), {"other": np.zeros((1, 2), np.float32)}, *SIZE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"points": 0}, "at least 1 point"),
        ({"outputs": ("a", "b")}, "1 outputs"),
        ({"point_width": 4}, "2 or 3"),
        ({"beyond": -1.0}, "0 or more"),
    ],
)
def test_a_head_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        head(Coding.HEATMAPS).updated(**wrong)
