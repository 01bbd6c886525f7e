"""A verb's command line for a board: its values there, the files that are sent, and those that come back.

On the board a job's folder holds what was sent in folders such as ``in``, numbered instead of named, and what comes
back in folders such as ``out``. So no name of a user's file is an argument there, and no name from there a path here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from pathlib import Path
from typing import Any, get_args

from typer.models import ArgumentInfo, OptionInfo

from edgevision.core.errors import EdgevisionError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import ModelFormat, companions, model_format, read_metadata
from edgevision.modelfiles.signature_policy import required_key
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.job import Check, Content, Existing, Fetched, Output

_SUFFIX = re.compile(r"\.\w{1,8}", re.ASCII)

Document = dict[str, Any]


class RemoteCommand:
    """The verb called as ``run denoise``, with the values ``given`` by the user, for the verb's own function to fill.

    Attributes:
        values: as the verb gets them on the board; at first those given.
        inputs: the files to send, by their names there.
        outputs: the files to bring back, by their names there.
        user_names: the user's own name for each of those names.
        model_formats: of the models sent, which decide what engine the board needs.
        read_document: takes the JSON document that the verb printed and what was fetched, and returns it with the names
            there; raises ValueError unless it is one of this verb about what was sent.
        read_lines: where set, the verb prints a JSON document a line, and this takes them all.
        answer: the verb's JSON document where nothing is left to do, so that no board is asked.
        extras: of edgevision, which the board needs beside its engine.
    """

    def __init__(self, verb: str, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> None:
        self.verb = verb
        self.given = given
        self.values = dict(given)
        self.inputs: dict[str, Content] = {}
        self.outputs: dict[str, Output] = {}
        self.user_names: dict[str, str] = {}
        self.model_formats: set[ModelFormat] = set()
        self.read_document: Callable[[Document, Fetched], Document] = lambda document, fetched: document
        self.read_lines: Callable[[Sequence[Document], Fetched], Sequence[Document]] | None = None
        self.answer: Document | None = None
        self.extras: set[str] = set()
        self._parameters = parameters
        self._folders: set[str] = set()
        # Names that may hold anything, so that their end cannot be told from the text around them.
        self._exact_names: list[str] = []

    def send_file(self, folder: str, number: int, file: PictureInput) -> str:
        """Add an input; its name there, which keeps the ending because that sets the format of the result.

        One that does not exist is lacking there too, which is said there, for this file alone.
        """
        suffix = Path(file.name).suffix
        name = f"{folder}/{number:05d}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        content = file.source
        if isinstance(content, bytes) or content.is_file():
            self.inputs[name] = content
        self._add_name(name, file.name)
        return name

    def send_model(self, path: Path, number: int = 1, *, called: str | None = None) -> Path:
        """Add a model with what lies beside it; its name is kept, because reports show it.

        Where it has to be signed, the signature and all that was signed go with it.

        The user knows it by its path, or as ``called``.

        Raises:
            ModelFileError: it does not exist or is no model.
        """
        folder = f"model/{number:05d}"
        beside = companions(path)
        if required_key() is not None:
            from edgevision.modelfiles.signature import signature_path, signed_files

            beside = (*signed_files(path)[1:], signature_path(path).name)
        for name in beside:
            self.inputs[f"{folder}/{name}"] = path.parent / name
        there = f"{folder}/{path.name}"
        self.inputs[there] = path
        self._add_name(there, str(path) if called is None else called)
        self._exact_names.append(there)
        self.model_formats.add(model_format(path))
        return Path(there)

    def fetch(self, name: str, target: Path, check: Check, existing: Existing = "refuse") -> str:
        """Add an output, to be written to ``target`` if it passes; returns ``name``, which is its name there."""
        self.outputs[name] = Output(target, check, existing)
        self._add_name(name, str(target))
        return name

    def name_folder(self, folder: str, own: str) -> str:
        """The name there of a folder that the user knows as ``own``."""
        name = f"{folder}/."
        self._add_name(name, own)
        self._exact_names.append(name)
        return name

    def send_folder(self, folder: str, number: int, own: str, files: Sequence[Path]) -> str:
        """Add a folder of files, which the user knows as ``own``; its name there, where they are numbered in order."""
        name = f"{folder}/{number:05d}"
        for place, file in enumerate(files, start=1):
            self.send_file(name, place, PictureInput(str(file), file))
        self._add_name(name, own)
        return name

    @property
    def folders(self) -> tuple[str, ...]:
        """Those that the job needs there, even if they are empty."""
        return tuple(sorted(self._folders))

    def in_user_names(self, text: str) -> str:
        """``text`` from the board with the user's names in the place of those there."""
        for name in self._exact_names:
            text = text.replace(name, self.user_names[name])
        numbered = rf"\b(?:{'|'.join(map(re.escape, self.folders))})/[\w./-]*\w"
        return re.sub(numbered, lambda found: self.user_names.get(found[0], found[0]), text, flags=re.ASCII)

    def command_line(self) -> list[str]:
        """The verb and its values there as the arguments of a command line."""
        return [*self.verb.split(), *command_arguments(self._parameters, self.values)]

    def _add_name(self, name: str, own: str) -> None:
        self.user_names[name] = own
        self._folders.add(name.partition("/")[0])


def model_metadata(path: Path) -> ModelMetadata | None:
    """What a model says of itself; ``None`` where nothing, or nothing that can be read, which is the board's to say."""
    try:
        return read_metadata(path)
    except EdgevisionError:
        return None


def command_arguments(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> list[str]:
    """The arguments that give ``parameters``, declared for Typer, their ``values``; defaults are left out."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in parameters:
        value = values[parameter.name]
        info = next((i for i in get_args(parameter.annotation) if isinstance(i, ArgumentInfo | OptionInfo)), None)
        if isinstance(info, ArgumentInfo):
            arguments += [str(item) for item in (value if isinstance(value, list | tuple) else [value])]
        elif value != parameter.default and value is not None:
            options += _option(_option_names(parameter, info), value)
    return [*options, "--", *arguments] if arguments else options


def _option_names(parameter: Parameter, info: OptionInfo | None) -> tuple[str, str]:
    """The option's long name, and the one that says no, for a flag."""
    # Inside Annotated, Typer keeps the first name where its default would be.
    names = [info.default, *(info.param_decls or ())] if info else []
    declared = [name for name in names if isinstance(name, str) and name.startswith("--")]
    yes, _, no = (declared[0] if declared else f"--{parameter.name.replace('_', '-')}").partition("/")
    return yes, no or f"--no-{yes.removeprefix('--')}"


def _option(names: tuple[str, str], value: Any) -> list[str]:
    if isinstance(value, bool):
        return [names[0] if value else names[1]]
    return [f"{names[0]}={item}" for item in (value if isinstance(value, list | tuple) else [value])]
