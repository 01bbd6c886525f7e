"""A convolutional network for each frame, and a recurrent one over what it sees."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from edgevision.models.sequence_network import SequenceNetwork, StateShape, convolution, embedding, side_after

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class FrameRnn(SequenceNetwork):
    """Each frame becomes an embedding, over which a GRU (Cho et al. 2014) or LSTM (Hochreiter & Schmidhuber 1997) runs.

    Its state is the hidden state (N, hidden), and of an LSTM the cell's (N, hidden) behind it.

    Args:
        cell: ``gru`` or ``lstm``.
        widths: channels of the frame's maps, of half the side each.
        embedding_size: numbers that a frame becomes.
        hidden: numbers that are remembered.
    """

    def __init__(
        self,
        *,
        cell: str,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        widths: Sequence[int] = (16, 32, 64),
        embedding_size: int = 64,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(
                nn.Sequential(convolution(before, width, stride=2), convolution(width, width))
                for before, width in pairwise((in_channels, *widths))
            ),
            embedding(widths[-1], side_after(image_size, len(widths)), embedding_size),
        )
        self.rnn = _CELLS[cell](embedding_size, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, num_classes))
        names = ("hidden", "cell") if cell == "lstm" else ("hidden",)
        self.states = dict.fromkeys(names, StateShape((hidden,)))

    def forward(self, frames: Tensor) -> Tensor:
        shape = frames.shape[:2]
        embedded = self.features(frames.flatten(0, 1)).unflatten(0, shape)
        hidden, _ = self.rnn(embedded)
        logits: Tensor = self.head(hidden.flatten(0, 1)).unflatten(0, shape)
        return logits

    def step(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        before = tuple(part[None] for part in state)
        # Of one frame what is remembered is what is put out, without the axes of a sequence.
        _, found = self.rnn(self.features(frame)[:, None], before if len(before) > 1 else before[0])
        after = tuple(part.squeeze(0) for part in (found if len(before) > 1 else (found,)))
        return self.head(after[0]), *after


cnn_gru = partial(FrameRnn, cell="gru")
"""A GRU over frames."""

cnn_lstm = partial(FrameRnn, cell="lstm")
"""An LSTM over frames."""
