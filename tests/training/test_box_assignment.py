"""Which cells tell of which thing, and what that costs."""

import torch

from edgevision.models import PyramidDetector
from edgevision.runtime.tasks.detection.decoding import candidates, priors
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.training.box_assignment import assign_cells, pairwise_iou
from edgevision.training.detect import detection_spec
from edgevision.training.detection_loss import cell_grid, decode_boxes, detection_loss, generalised_iou

GRID = cell_grid(64, 64, (8, 16, 32), torch.device("cpu"))
CELLS = len(GRID.centers)


def answers(boxes: torch.Tensor) -> torch.Tensor:
    """A box for every cell: the one of ``boxes`` that its middle lies in, else a box of 8 pixels."""
    found = torch.cat([GRID.centers - 4, GRID.centers + 4], dim=1)
    for box in boxes:
        found[((GRID.centers > box[:2]) & (GRID.centers < box[2:])).all(dim=1)] = box
    return found


def test_the_grid_is_that_of_the_device() -> None:

    head = detection_spec(PyramidDetector(), ("thing",)).head
    assert head is not None
    grid = cell_grid(96, 64, (8, 16, 32), torch.device("cpu"))
    device = priors(head, 96, 64)
    assert torch.equal(grid.centers, torch.from_numpy(device.centers))
    assert torch.equal(grid.strides, torch.from_numpy(device.strides))


def test_what_is_taught_is_decoded_alike_on_the_device() -> None:
    from edgevision.training.detect import detection_spec

    network = PyramidDetector(num_classes=2, bins=8)
    spec = detection_spec(network, ("a", "b"))
    assert spec.head is not None
    boxes, scores = torch.randn(32, CELLS), torch.randn(2, CELLS)
    rows = gather_rows(spec.head, {"boxes": boxes[None].numpy(), "scores": scores[None].numpy()}, 64, 64)
    found = candidates(spec.head, rows, 64, 64, min_score=0.0, multi_label=False)
    decoded = decode_boxes(boxes.view(4, 8, CELLS).permute(2, 0, 1), GRID.centers, GRID.strides)
    torch.testing.assert_close(torch.from_numpy(found.boxes), decoded, rtol=1e-4, atol=1e-3)
    assert (torch.from_numpy(found.classes) == scores.argmax(dim=0)).all()


def test_cells_in_a_thing_that_find_it_well_tell_of_it() -> None:
    things = torch.tensor([[4.0, 4.0, 28.0, 28.0], [36.0, 30.0, 62.0, 60.0]])
    scores = torch.full((CELLS, 2), 0.1)
    found = assign_cells(scores, answers(things), GRID.centers, things, torch.tensor([0, 1]))
    for index, box in enumerate(things):
        centers = GRID.centers[found.thing == index]
        assert 1 <= len(centers) <= 10
        assert ((centers > box[:2]) & (centers < box[2:])).all()
    assert (found.quality[found.thing >= 0] > 0.99).all()
    assert (found.quality[found.thing < 0] == 0).all()


def test_of_a_things_cells_the_better_one_is_to_have_the_higher_score() -> None:
    things = torch.tensor([[0.0, 0.0, 24.0, 16.0]])
    boxes = answers(things)
    worse = int((GRID.centers == 12.0).all(dim=1).nonzero()[0])
    boxes[worse] = torch.tensor([0.0, 0.0, 24.0, 12.0])
    found = assign_cells(torch.full((CELLS, 1), 0.5), boxes, GRID.centers, things, torch.tensor([0]))
    assert 0 < found.quality[worse] < found.quality.max()


def test_a_thing_between_all_middles_is_told_by_the_nearest_cell() -> None:
    thing = torch.tensor([[13.0, 13.0, 15.0, 15.0]])
    boxes = torch.cat([GRID.centers - 4, GRID.centers + 4], dim=1)
    found = assign_cells(torch.full((CELLS, 1), 0.5), boxes, GRID.centers, thing, torch.tensor([0]))
    told = (found.thing == 0).nonzero()[:, 0]
    assert GRID.centers[told].tolist() == [[12.0, 12.0]]


def test_a_cell_that_two_things_ask_for_is_that_of_the_one_it_finds() -> None:
    things = torch.tensor([[0.0, 0.0, 16.0, 16.0], [0.0, 0.0, 16.0, 24.0]])
    found = assign_cells(torch.full((CELLS, 1), 0.5), answers(things), GRID.centers, things, torch.tensor([0, 0]))
    # Both ask for all cells in the smaller one, which all tell the larger one.
    assert set(found.thing.tolist()) == {1, -1}


def test_overlaps_of_boxes() -> None:
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    second = torch.tensor([[1.0, 1.0, 3.0, 3.0], [4.0, 0.0, 6.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.allclose(pairwise_iou(first, second)[0], torch.tensor([1 / 7, 0.0, 0.0]))
    # 7 of the 9 pixels round the first pair are one's; between the second pair a third is empty.
    assert torch.allclose(generalised_iou(first, second)[:2], torch.tensor([1 / 7 - 2 / 9, -1 / 3]))
    assert torch.isfinite(generalised_iou(first, second)).all()


def loss_of(logits: torch.Tensor, things: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    return float(detection_loss(torch.zeros(len(things), CELLS, 4, 8), logits, GRID, things))


NOTHING = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))


def test_a_picture_of_nothing_teaches_that_nothing_is_found() -> None:
    shy, bold = torch.full((1, CELLS, 2), -6.0), torch.full((1, CELLS, 2), 6.0)
    assert loss_of(shy, [NOTHING]) < loss_of(bold, [NOTHING])


def test_where_a_thing_is_neither_to_be_found_nor_not_no_score_is_wrong() -> None:
    everywhere = (torch.tensor([[-1.0, -1.0, 65.0, 65.0]]), torch.tensor([-1]))
    assert loss_of(torch.full((1, CELLS, 2), 6.0), [everywhere]) == 0


def test_the_loss_falls_to_nothing_but_the_doubt_between_two_bins() -> None:
    torch.manual_seed(0)
    things = [(torch.tensor([[8.0, 8.0, 40.0, 40.0]]), torch.tensor([1])), NOTHING]
    distributions = torch.zeros(2, CELLS, 4, 8, requires_grad=True)
    logits = torch.full((2, CELLS, 2), -4.0, requires_grad=True)
    optimizer = torch.optim.Adam([distributions, logits], lr=0.3)
    first = None
    for _ in range(60):
        loss = detection_loss(distributions, logits, GRID, things)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.item() < 0.25 * first
    best = int(logits[0, :, 1].argmax())
    found = decode_boxes(distributions[0], GRID.centers, GRID.strides)[best]
    assert torch.allclose(found, things[0][0][0], atol=1.5)
    assert logits[1].max() < -3
