"""What the search for a wrong setting of the input found."""

from collections.abc import Mapping

from edgevision.core.errors import WrongSettingError
from edgevision.core.records import Record, record


@record
class SettingTrial(Record):
    """Options of ``export`` and the mean figure of the pictures with them."""

    settings: Mapping[str, str]
    figure: float


@record
class WrongSetting(Record):
    """What would be better ``instead_of`` what the file says, both as options of ``export``.

    ``before`` and ``after`` are mean figures; their difference ``gain`` lies in the ``interval`` with 95 %.
    """

    settings: Mapping[str, str]
    instead_of: Mapping[str, str]
    before: float
    after: float
    gain: float
    interval: tuple[float, float]


@record
class SettingsReport(Record):
    """All that was ``tried``, and what is wrong; ``None`` where nothing was found to be better.

    Attributes:
        metric: the figure, whose differences are in ``unit``.
        truth: whether it compares with the truth; without that it is a guess.
        pictures: how many the gain was measured on, other than those that the setting was chosen on.
        alike: options that make no difference on these pictures, so that nothing is known of them.
    """

    metric: str
    unit: str
    truth: bool
    pictures: int
    tried: tuple[SettingTrial, ...]
    alike: tuple[str, ...] = ()
    wrong: WrongSetting | None = None

    def finding(self) -> str:
        """In a sentence or two."""
        unknown = f"; {', '.join(self.alike)} made no difference on these pictures" if self.alike else ""
        if self.wrong is None:
            guess = "" if self.truth else ", as far as can be guessed without classes"
            return f"none of {len(self.tried)} others gives a better {self.metric}{guess}{unknown}"
        wrong = self.wrong
        low, high = wrong.interval
        is_wrong = "is wrong" if self.truth else "may be wrong, at a guess without classes"
        return (
            f"{_line(wrong.instead_of)} {is_wrong}: {self.metric} {wrong.before:.2f}, and {wrong.after:.2f} with"
            f" {_line(wrong.settings)} ({wrong.gain:+.2f} {self.unit}, {low:+.2f} to {high:+.2f}, on"
            f" {self.pictures} pictures){unknown}"
        )

    def check(self, model: str) -> None:
        """Raise :class:`WrongSettingError`, with the way to mend ``model``, where a setting is known to be wrong."""
        if self.wrong is not None and self.truth:
            settings = _line(self.wrong.settings)
            raise WrongSettingError(
                f"{model!r} says {_line(self.wrong.instead_of)}, and {settings} is better by {self.wrong.gain:.2f}"
                f" {self.unit}; export it again with {settings}"
            )


def _line(options: Mapping[str, str]) -> str:
    # A value that begins with a minus would be taken for an option.
    return " ".join(
        f"{name}={value}" if value.startswith("-") else f"{name} {value}" for name, value in options.items()
    )
