"""The verb ``edgevision build``."""

import json
import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, JsonOption, QuietOption
from edgevision.cli.output import echo, print_json
from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import EdgevisionError, InputError
from edgevision.core.printable import one_line
from edgevision.core.regular_files import read_text_file
from edgevision.exporters.recipes.build import (
    LOCK_SCHEMA_VERSION,
    BuiltStep,
    build_recipe,
    failed_gates,
    first_difference,
    lock_document,
)
from edgevision.exporters.recipes.recipe import Recipe, read_recipe


def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file with the steps and gates.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the build.", show_default="build/NAME here", rich_help_panel=OUTPUT_PANEL
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and run none.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Build anew elsewhere, and say what differs first from RECIPE's .lock.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train, export, evaluate and measure as a recipe says, and judge the result by its gates.

    Every table of the recipe is a verb, every key an option of it. A step whose data, options and versions are as they
    were is not run again. RECIPE.lock, beside the recipe, holds the hashes of all that went in and came out.

    Examples:
        edgevision build recipe.toml
        edgevision build recipe.toml --dry-run
        edgevision build recipe.toml --check
    """
    if check:
        _check(recipe, as_json=as_json, quiet=quiet)
        return
    folder = (output or Path("build", recipe.stem)).absolute()
    read = read_recipe(recipe.absolute(), folder)
    if dry_run:
        for step in read.steps:
            echo(shlex.join(["edgevision", *step.words]))
        for step in read.steps:
            for name in step.missing:
                echo(f"note: [{step.name}] names {one_line(name)!r}, which is not there", err=True)
        return
    built = build_recipe(read, folder, lambda text: None if quiet or as_json else echo(text, err=True))
    with atomic_file(_lock_path(recipe)) as temporary:
        temporary.write_text(json.dumps(lock_document(read, built), indent=2) + "\n", "utf-8")
    failed = failed_gates(read, built)
    if as_json:
        steps = {step.name: step.to_dict() | {"reused": step.reused} for step in built}
        print_json({"recipe": read.name, "steps": steps, "failed_gates": failed})
    else:
        echo(_table(read, built))
    if failed:
        raise EdgevisionError(f"{len(failed)} of {len(read.gates)} gates are not met: {'; '.join(failed)}")


def _check(recipe: Path, *, as_json: bool, quiet: bool) -> None:
    path = _lock_path(recipe)
    try:
        lock = json.loads(read_text_file(path, "the lock"))
        if lock["lock_version"] != LOCK_SCHEMA_VERSION:
            raise ValueError(f"version {lock['lock_version']}")
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{str(path)!r} is no lock of a build: {error}") from error
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).absolute()
        read = read_recipe(recipe.absolute(), folder)
        built = build_recipe(read, folder, lambda text: None if quiet or as_json else echo(text, err=True))
    difference = first_difference(lock, built)
    if as_json:
        print_json({"recipe": read.name, "difference": difference})
    elif difference is None:
        echo(f"{read.name} is built as {path.name} says")
    if difference is not None:
        raise EdgevisionError(f"{read.name} is not built as {path.name} says: {difference}")


def _lock_path(recipe: Path) -> Path:
    return recipe.with_suffix(".lock")


def _table(recipe: Recipe, built: list[BuiltStep]) -> str:
    lines = [f"{'step':<10}{'':<8} outputs and figures"]
    for step in built:
        found = [f"{name} {digest[:12]}" for name, digest in step.outputs.items()]
        found += [f"{name} {value:g}" for name, value in list(step.figures.items())[:6]]
        lines.append(f"{step.name:<10}{'reused' if step.reused else 'built':<8} {', '.join(found)}")
    if recipe.gates:
        lines.append(f"gates: {', '.join(f'{name} {bound:g}' for name, bound in recipe.gates.items())}")
    return "\n".join(lines)
