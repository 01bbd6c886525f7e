"""What a recipe may say: its tables are verbs, and their keys the options of those, taken from the verbs themselves."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

import typer

from edgevision.cli.groups import LazyGroup, Verb
from edgevision.core.errors import InputError
from edgevision.core.printable import shortened

TRAININGS = {
    "classify": "edgevision.training.commands.classify:classify",
    "detect": "edgevision.training.commands.detect:detect",
    "segment": "edgevision.training.commands.segment:segment",
    "keypoints": "edgevision.training.commands.keypoints:keypoints",
    "sequence": "edgevision.training.commands.sequence:sequence",
    "restore": "edgevision.training.commands.restore:restore",
    "compress": "edgevision.training.commands.compress:compress",
    "stylize": "edgevision.training.commands.stylize:stylize",
    "translate": "edgevision.training.commands.translate:translate",
    "gan": "edgevision.training.commands.generate:gan",
    "vae": "edgevision.training.commands.generate:vae",
}

_OTHERS = {
    "export": "edgevision.exporters.commands:export",
    "evaluate": "edgevision.runtime.commands.evaluate:evaluate",
    "bench": "edgevision.runtime.commands.bench:bench",
}

# What the build itself says of a step: where it writes, and how it answers.
_OWN = {"output", "force", "as_json", "quiet", "model", "models", "checkpoint", "help", "html", "csv", "wheelhouse"}


class Option(NamedTuple):
    """How a key of a recipe stands on a command line.

    Attributes:
        flags: the option that says yes, and the one that says no, if there is one; none of an argument.
        is_flag: whether it has no value.
        repeats: whether a list gives it several times.
    """

    flags: tuple[str, ...]
    is_flag: bool
    repeats: bool


@cache
def options(verb: str) -> Mapping[str, Option]:
    """The keys that a table for ``verb`` may have, as ``train classify`` or ``export``."""
    word, _, kind = verb.partition(" ")
    target = TRAININGS[kind] if word == "train" else _OTHERS[word]
    group = LazyGroup(name="edgevision")
    group.verbs = {word: Verb(target, "")}
    context = typer.Context(group, info_name="edgevision", resilient_parsing=True)
    command: Any = group.get_command(context, word)
    found = {}
    for parameter in command.get_params(context):
        # A network is named by --model too, which of a training is a key like others.
        if parameter.name in _OWN and not (word == "train" and parameter.name == "model"):
            continue
        is_argument = parameter.param_type_name == "argument"
        long = [name for name in parameter.opts if name.startswith("--")]
        key = (long[0].removeprefix("--") if long else str(parameter.name)).replace("-", "_")
        found[key] = Option(
            () if is_argument else (long[0], *parameter.secondary_opts[:1]),
            bool(getattr(parameter, "is_flag", False)),
            bool(parameter.multiple) or parameter.nargs == -1,
        )
    return found


def check_keys(where: str, given: Mapping[str, Any], known: Any) -> None:
    """Raise :class:`InputError` where ``given`` has a key that is not ``known``, with the one that was meant."""
    for key in given:
        if key not in known:
            similar = get_close_matches(key, list(known), n=1)
            hint = f"did you mean {similar[0]!r}?" if similar else f"there are {', '.join(sorted(known))}"
            raise InputError(f"{where} has no key {shortened(key)}; {hint}")


def command_words(verb: str, table: Mapping[str, Any]) -> list[str]:
    """The words of a command line for the keys of a ``table``; arguments stand last.

    Raises:
        InputError: a key that the verb does not have, or a value that no option has.
    """
    known = options(verb)
    check_keys(f"[{verb.replace(' ', '.')}]", table, known)
    words: list[str] = []
    arguments: list[str] = []
    for key, value in table.items():
        option = known[key]
        values = value if isinstance(value, list) else [value]
        if isinstance(value, list) and not option.repeats:
            raise InputError(f"[{verb}] takes {key!r} once, not a list of {len(value)}")
        if any(isinstance(one, dict | list) for one in values):
            raise InputError(f"[{verb}] {key!r} is text, a number, true, false, or a list of such")
        if option.is_flag != isinstance(value, bool):
            raise InputError(f"[{verb}] {key!r} is {'true or false' if option.is_flag else 'no true or false'}")
        if not option.flags:
            arguments += map(str, values)
        elif option.is_flag:
            words += option.flags[:1] if value else option.flags[1:]
        else:
            words += [f"{option.flags[0]}={one}" for one in values]
    return [*words, *arguments]
