"""What a model lost against the float model it was made from, and how sure that is, as its file says."""

from edgevision.core.records import Record, record


@record
class JudgedLoss(Record):
    """What was lost on the pictures (or other inputs) that were there, in ``unit``, as what ``metric`` fell by.

    With 95 % confidence no more is lost on others like them than ``at_most``. ``proven`` says whether that is within
    the ``budget``; otherwise only what was seen is, and about ``pictures_needed`` would prove it, if any number does.
    A negative loss in dB is an SQNR that was left.
    """

    metric: str
    unit: str
    loss: float
    at_most: float
    budget: float
    proven: bool
    pictures: int | None = None
    pictures_needed: int | None = None

    @property
    def caveat(self) -> str | None:
        """What people are told of it where it is not proven."""
        if self.proven:
            return None
        seen = f"{self.loss:.3g} {self.unit}" if self.budget >= 0 else f"{-self.loss:.3g} dB"
        if self.pictures is None:
            return (
                f"held by the estimate, not proven: {seen} on what was seen, which says nothing of others, for"
                f" {abs(self.budget):g} {self.unit}; give more"
            )
        limit = f"{self.at_most:.3g} lost" if self.budget >= 0 else f"{-self.at_most:.3g} left"
        needed = "" if self.pictures_needed is None else f": about {self.pictures_needed} like them would show it"
        return (
            f"held by the estimate, not proven: {seen} on {samples_seen(self.pictures)}, on others perhaps {limit},"
            f" for {abs(self.budget):g} {self.unit}{needed}"
        )

    def __str__(self) -> str:
        if self.budget < 0:
            return self.caveat or f"{-self.at_most:.3g} dB of {self.metric} or more, for {-self.budget:g}"
        return self.caveat or f"at most {self.at_most:.3g} {self.unit} of {self.metric}, for {self.budget:g}"


def samples_seen(count: int | None) -> str:
    """How many independent inputs there were, in words: of a clip many frames in a row are one."""
    if count is None:
        return "what was seen"
    return "1 sample" if count == 1 else f"{count} samples"
