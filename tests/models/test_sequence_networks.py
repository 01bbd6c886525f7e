"""Networks over frames: their two forms agree, and they never look ahead."""

import pytest
import torch
from torch import Tensor

from edgevision.models import SEQUENCE_NETWORKS, RowLstm, StreamedSequence, build_model

LENGTH = 11


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def stepped(network: torch.nn.Module, frames: Tensor) -> Tensor:
    """The answers of the form for streams, frame by frame."""
    stream = StreamedSequence(network)  # type: ignore[arg-type]
    states = network.states.values()  # type: ignore[union-attr, operator]
    waiting = [[torch.zeros(len(frames), *state.shape)] * state.delay for state in states]
    answers = []
    for frame in frames.unbind(1):
        answer, *given = stream(frame, *(queue.pop(0) for queue in waiting))
        for queue, state in zip(waiting, given, strict=True):
            queue.append(state)
        answers.append(answer)
    return torch.stack(answers, 1)


@pytest.mark.parametrize("name", SEQUENCE_NETWORKS)
@torch.inference_mode()
def test_windows_and_streams_give_the_same_answers(name: str) -> None:
    network = build_model(name, num_classes=7, in_channels=3).eval()
    frames = torch.randn(2, LENGTH, 3, 32, 32)
    answers = network(frames)
    assert answers.shape == (2, LENGTH, 7)
    torch.testing.assert_close(stepped(network, frames), answers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SEQUENCE_NETWORKS)
@torch.inference_mode()
def test_an_answer_depends_on_frames_before_it_and_on_none_behind(name: str) -> None:
    network = build_model(name).eval()
    frames = torch.randn(1, LENGTH, 3, 32, 32)
    changed = frames.clone()
    changed[:, 5] += 3
    before, after = network(frames), network(changed)
    torch.testing.assert_close(after[:, :5], before[:, :5], rtol=1e-4, atol=1e-5)
    for later in (5, 6, 7):
        assert (after[:, later] - before[:, later]).abs().max() > 1e-4, later


@pytest.mark.parametrize("name", SEQUENCE_NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = build_model(name)
    network(torch.randn(3, 4, 3, 32, 32)).square().sum().backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.abs().sum() > 0, parameter


@pytest.mark.parametrize("name", SEQUENCE_NETWORKS)
@torch.inference_mode()
def test_the_size_of_a_frame_is_an_option(name: str) -> None:
    network = build_model(name, image_size=45, in_channels=1).eval()
    frames = torch.randn(1, 3, 1, 45, 45)
    torch.testing.assert_close(stepped(network, frames), network(frames), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_rows_are_read_from_top_to_bottom_however_many_there_are() -> None:
    network = RowLstm(in_channels=2, image_size=8, num_classes=3).eval()
    picture = torch.randn(1, 2, 12, 8)
    state = None
    for row in picture.unbind(2):
        answer, state = network.lstm(row.flatten(1)[:, None], state)
    torch.testing.assert_close(network(picture), network.head(answer[:, -1]), rtol=1e-4, atol=1e-5)
