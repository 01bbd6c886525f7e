"""What the metadata of a translation network say."""

from edgevision.core.records import record
from edgevision.runtime.tasks.restoration.spec import RestorationSpec


@record
class TranslationSpec(RestorationSpec):
    """What is turned into what, as "edges" and "photograph", and how pictures follow from the output.

    ``groups`` is a regular expression that finds in a file's name what a pair shows, of which a tenth was held out.
    """

    given: str = "A"
    made: str = "B"
    groups: str | None = None
