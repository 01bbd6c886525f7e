"""What the metadata of a classifier say of its scores."""

from enum import StrEnum

from edgevision.core.records import Record, record
from edgevision.modelfiles.metadata import TensorSpec


class Activation(StrEnum):
    """What a classifier ends in, and with that what its scores are."""

    NONE = "none"
    """Logits: their softmax are the probabilities."""
    SOFTMAX = "softmax"
    """Probabilities that add up to 1."""
    SIGMOID = "sigmoid"
    """A probability for each class by itself."""
    LOG_SOFTMAX = "log_softmax"
    """Logarithms of probabilities that add up to 1."""


@record
class ClassificationSpec(Record):
    """What a classifier's scores are: one for each of ``labels``, in this order.

    With ``multi_label`` logits are for classes of which any number may be true. A network of one score says whether a
    picture is of the second of two classes. An ``activation`` of ``None`` is not known yet.
    """

    labels: tuple[str, ...] = ()
    activation: Activation | None = None
    multi_label: bool = False


def class_count(scores: TensorSpec, picture: TensorSpec) -> int | None:
    """How many scores a classifier's output holds for each sample of its input, ``None`` where the graph does not tell.

    Sides of 1 do not count: (batch, classes, 1, 1) is as good as (batch, classes), and (batch,) one score each.

    Raises:
        ValueError: the output is no list of scores.
    """
    shape, batch = scores.shape, picture.shape[0] if picture.shape else 1
    # (classes,) of a network for one picture has no side for the batch.
    sides = shape if batch == 1 and len(shape) == 1 else shape[1:]
    larger = [side for side in sides if side != 1]
    if len(larger) > 1:
        raise ValueError(f"its output {scores.name!r} is {shape}, and classes have one score each: (batch, classes)")
    if not larger:
        return 1
    return larger[0] if isinstance(larger[0], int) else None
