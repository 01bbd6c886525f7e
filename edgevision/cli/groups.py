"""Verbs and groups of verbs that are known by name and help, and imported only when they are called."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from inspect import cleandoc
from typing import Any, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from edgevision.cli.output import end_interrupted
from edgevision.cli.quick_start import QuickStart
from edgevision.cli.values import parse_cores
from edgevision.core.lazy_objects import load_object
from edgevision.core.terminal import results_apart

_EXAMPLES = "Examples:\n"

_LIST = re.compile(r"<list\[(.+)\]>")

_WIDEST_NAME = 30
"""Columns of an option's name in help; the text of a longer one begins on the next line."""


class Verb(NamedTuple):
    """A command: ``target`` is ``module:function``, imported only when the verb is called.

    What follows ``Examples:`` in the function's docstring is shown as it stands at the end of ``--help``.
    """

    target: str
    help: str


class VerbGroup(NamedTuple):
    """Commands under a common word."""

    verbs: Mapping[str, "Verb | VerbGroup"]
    help: str


class LazyGroup(QuickStart, TyperGroup):
    """A group that knows the names and the help of its commands without importing any of them."""

    verbs: Mapping[str, Verb | VerbGroup] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        if isinstance(verb, VerbGroup):
            group = LazyGroup(name=cmd_name, help=verb.help, rich_markup_mode=None, no_args_is_help=True)
            group.verbs = verb.verbs
            return group
        callback = load_object(verb.target)
        text, _, examples = cleandoc(callback.__doc__ or "").partition(_EXAMPLES)
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(cmd_name, cls=VerbCommand, help=text, epilog=examples, no_args_is_help=False)(callback)
        return typer.main.get_command(app)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_options(self, ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        from typer._click.shell_completion import CompletionItem

        names = [name for name in self.verbs if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=self.verbs[name].help) for name in names),
            *TyperCommand.shell_complete(self, ctx, incomplete),
        ]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if word not in self.verbs and not word.startswith("-") and not ctx.resilient_parsing:
            similar = self._similar(ctx, word)
            hint = f" Did you mean {', '.join(map(repr, similar))}?" if similar else ""
            ctx.fail(f"No such command {word!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:  # while a verb's modules are imported
            end_interrupted(interrupt)

    def _similar(self, ctx: Any, word: str) -> list[str]:
        """The commands that may have been meant, in full: those of this group, else of the whole program."""
        root = ctx.find_root()
        own = [] if ctx is root else [(f"{ctx.command_path} {name}", name) for name in self.verbs]
        for commands in (own, list(_commands(root))):
            found = get_close_matches(word, {name for _, name in commands})
            if found:
                return [command for match in found for command, name in commands if name == match]
        return []


def _commands(root: Any) -> Iterator[tuple[str, str]]:
    """Every command of the program as (command in full, its last word); the verbs of a group are not looked into."""
    for name, verb in root.command.verbs.items():
        yield f"{root.command_path} {name}", name
        for inner in verb.verbs if isinstance(verb, VerbGroup) else ():
            yield f"{root.command_path} {name} {inner}", inner


class VerbCommand(QuickStart, TyperCommand):
    """A command with its options in panels, that keeps to ``--cores`` and ends in the right way when interrupted."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.rstrip().splitlines():
                    formatter.write(f"  {line.strip()}\n")

    def invoke(self, ctx: Any) -> Any:
        cores = ctx.find_root().params.get("cores")
        if cores is not None:
            from edgevision.core.machine import keep_to_cores

            wanted = parse_cores(cores)
            # With --on they are those of a board.
            if not ctx.params.get("on"):
                keep_to_cores(wanted)
        try:
            with results_apart():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            end_interrupted(interrupt)


def _several(name: str) -> str:
    """``<list[Path]>``, as typer has it of what is given several times, as ``<path>...``."""
    return _LIST.sub(lambda found: f"<{found[1].replace('Path', 'path')}>...", name)


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments, then each panel in the order of its first option, last the options without one."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": []}
    for parameter in command.get_params(ctx):
        row = parameter.get_help_record(ctx)
        if row is not None:
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            name, text = row
            panels.setdefault(parameter.rich_help_panel or kind, []).append((_several(name), text))
    panels["Options"] = panels.pop("Options", [])
    # One width for all panels, so that their columns stand in line.
    width = min(_WIDEST_NAME, max(len(name) for rows in panels.values() for name, _ in rows))
    for panel, rows in panels.items():
        if rows:
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=_WIDEST_NAME)
