"""What the metadata of a network over frames say of it."""

from edgevision.core.records import Record, record
from edgevision.runtime.tasks.classification.spec import ClassificationSpec


@record
class StateSpec(Record):
    """One tensor that a network remembers: what its ``output`` gives goes into its ``input`` ``delay`` frames later.

    It is zeros before the first one; its shape is that of the input.
    """

    input: str
    output: str
    delay: int = 1


@record
class SequenceSpec(ClassificationSpec):
    """How a network is called on frames, and what its scores are.

    With ``states`` it takes one frame and these, and gives scores and the next ones: its form for streams. Without, it
    takes a window of frames, and gives scores after each of them. It learned from windows of ``frames`` frames, of
    every ``every``-th one of a clip.
    """

    frames: int = 16
    every: int = 1
    states: tuple[StateSpec, ...] = ()
