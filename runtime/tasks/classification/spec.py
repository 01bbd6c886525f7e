"""What the metadata of a classifier say of its scores."""

from enum import StrEnum

from edgevision.core.records import Record, record


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
