"""A recipe: which commands lead from data to a judged model, and what has to hold at the end."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgevision.core.errors import InputError
from edgevision.core.regular_files import read_text_file
from edgevision.exporters.recipes.schema import TRAININGS, check_keys, command_words
from edgevision.runtime.shipped_models import shipped_names

BUILT_IN_DATA = ("digits", "moving-digits")
"""What trainings take in place of a folder."""

# Keys whose values are files and folders, but for data that is built in.
_FILES = (
    "data",
    "calibration",
    "start_from",
    "backbone",
    "perceptual_model",
    "styles",
    "classifier",
    "judge",
    "privacy",
    "shadow",
    "adversarial",
    "picture",
)

_TABLES = ("name", "checkpoint", "train", "export", "evaluate", "bench", "gates")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command.

    Attributes:
        name: of its table.
        words: of the command line behind ``edgevision``.
        inputs: the files and folders of the user that it reads.
        outputs: what it writes, in the folder of the build, of which the first is what the next steps are about.
        missing: files and folders that it names and that are not there.
    """

    name: str
    words: tuple[str, ...]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a file says: the steps in their order, and the gates, a bound for each figure, as ``min_top1``."""

    name: str
    steps: tuple[Step, ...]
    gates: Mapping[str, float]


def read_recipe(path: Path, build: Path) -> Recipe:
    """The recipe of a file, which is to be built in the folder ``build``; paths in it are relative to the file.

    Raises:
        InputError: it cannot be read, says what no verb knows, or leads nowhere.
    """
    try:
        document = tomllib.loads(read_text_file(path, "the recipe"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the recipe {str(path)!r} is no TOML: {error}") from error
    check_keys("the recipe", document, _TABLES)
    for key, value in document.items():
        if isinstance(value, dict) == (key in ("name", "checkpoint")):
            raise InputError(f"{key!r} is {'a text' if key in ('name', 'checkpoint') else f'a table, [{key}]'}")
    if ("train" in document) == ("checkpoint" in document):
        raise InputError("a recipe begins with a [train] table or with checkpoint = FILE, one of them")
    name = str(document.get("name", path.stem))
    if Path(name).name != name or name.startswith("."):
        raise InputError(f"the name of a recipe is that of a file, not {name!r}")
    return Recipe(
        name=name, steps=tuple(_steps(document, name, path.parent, build)), gates=_gates(document.get("gates", {}))
    )


def _steps(document: Mapping[str, Any], name: str, folder: Path, build: Path) -> Sequence[Step]:
    steps: list[Step] = []

    def add(table: str, verb: str, values: Mapping[str, Any], before: Sequence[str], outputs: Sequence[Path]) -> None:
        there, inputs = _with_paths(values, folder)
        words = [*verb.split(), *before, *command_words(verb, there)]
        steps.append(
            Step(name=table, words=tuple(words), inputs=inputs, outputs=tuple(outputs), missing=_missing(there))
        )

    if "train" in document:
        values = dict(document["train"])
        # What a verb has a --kind of its own for is said behind it, as in "restore denoise".
        kind, _, own_kind = str(values.pop("kind", "classify")).partition(" ")
        values |= {"kind": own_kind} if own_kind else {}
        if kind not in TRAININGS:
            raise InputError(f"[train] kind is one of {', '.join(TRAININGS)}, not {kind!r}")
        run = build / "train"
        checkpoint = run / f"{name}.pt"
        add("train", f"train {kind}", values, ["-o", str(run), "--force", "--quiet"], [checkpoint])
    else:
        checkpoint = folder / str(document["checkpoint"])
        if not checkpoint.is_file():
            raise InputError(f"the checkpoint {str(checkpoint)!r} does not exist")
    values = document.get("export", {})
    model = build / f"{name}{'.xml' if values.get('format') == 'openvino' else '.onnx'}"
    before = ["-o", str(model), "--force", "--json", str(checkpoint)]
    beside = [model.with_suffix(".bin")] if model.suffix == ".xml" else []
    add("export", "export", values, before, [model, *beside])
    if "train" not in document:
        steps[-1] = replace(steps[-1], inputs=(checkpoint, *steps[-1].inputs))
    if "evaluate" in document:
        add("evaluate", "evaluate", document["evaluate"], ["--json", str(model)], [])
    if "bench" in document:
        add("bench", "bench", document["bench"], ["--json", str(model)], [])
    return steps


def _with_paths(values: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """``values``, in which what names a file or folder beside the recipe does so from anywhere; and those."""
    found: list[Path] = []

    def there(value: Any) -> Any:
        if isinstance(value, list):
            return [there(one) for one in value]
        if isinstance(value, str) and value and (folder / value).exists():
            found.append(folder / value)
            return str(folder / value)
        return value

    return {key: there(value) for key, value in values.items()}, tuple(found)


def _missing(values: Mapping[str, Any]) -> tuple[str, ...]:
    named = [values[key] for key in _FILES if key in values]
    texts = [str(text) for one in named for text in (one if isinstance(one, list) else [one])]
    elsewhere = (*BUILT_IN_DATA, *shipped_names())
    return tuple(text for text in texts if text not in elsewhere and "://" not in text and not Path(text).exists())


def _gates(table: Mapping[str, Any]) -> dict[str, float]:
    for key, value in table.items():
        if not key.startswith(("min_", "max_")) or isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"a gate is min_FIGURE or max_FIGURE = NUMBER, not {key} = {value!r}")
    return {key: float(value) for key, value in table.items()}
