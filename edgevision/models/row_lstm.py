"""A picture as a sequence of its rows, read from top to bottom: the recurrent net that tutorials teach."""

from torch import Tensor, nn


class RowLstm(nn.Module):
    """Stacked LSTMs over the rows of a picture; what the last row leaves is classified.

    Input (N, in_channels, rows, image_size) float32, any number of rows; output logits (N, num_classes).

    Args:
        hidden: numbers that each layer remembers.
        layers: LSTMs, each over what the one before gives.
    """

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        hidden: int = 128,
        layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels * image_size, hidden, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        rows, _ = self.lstm(images.transpose(1, 2).flatten(2))
        logits: Tensor = self.head(self.dropout(rows[:, -1]))
        return logits
