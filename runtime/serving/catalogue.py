"""What a server has to offer: its models by name, and the tasks that they are for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.lazy_objects import load_object
from edgevision.core.printable import shortened
from edgevision.modelfiles.composition_registry import COMPOSITIONS
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.signature_policy import verified_where_required
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.serving.declared_options import DeclaredOption, declared_options
from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.shipped_models import resolve_model, shipped_names
from edgevision.runtime.tasks.served import ServedTask
from edgevision.runtime.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class OfferedTask:
    """What requests can ask for: a task, or a composition of several."""

    name: str
    title: str
    served: ServedTask
    options: Mapping[str, DeclaredOption]

    @classmethod
    def of(cls, name: str, title: str, command: str, served: str) -> Self:
        """Of what is served as ``served`` says, with the options of the verb ``command``; both ``"module:object"``."""
        loaded = load_object(served)
        return cls(name=name, title=title, served=loaded, options=declared_options(command, loaded))

    def to_dict(self) -> dict[str, Any]:
        """What ``/v1/tasks`` says of it."""
        return {
            "name": self.name,
            "title": self.title,
            "inputs": list(self.served.inputs),
            "optional": list(self.served.optional),
            "answer": self.served.answer_kind,
            "options": [option.to_dict() for option in self.options.values()],
        }


@dataclass(frozen=True, kw_only=True)
class OfferedModel:
    """A model file, and what requests call it.

    Attributes:
        default: whether it answers the requests for its task that name no model.
        card: what its verb's help says of it, in paragraphs.
    """

    name: str
    path: Path
    metadata: ModelMetadata
    default: bool
    card: tuple[str, ...]

    @property
    def task(self) -> str:
        """What it is for."""
        return self.metadata.task

    def to_dict(self) -> dict[str, Any]:
        """What ``/v1/models`` says of it, without where it lies."""
        image = self.metadata.image
        return {
            "name": self.name,
            "task": self.task,
            "title": self.card[0],
            "bad_at": " ".join(self.card[1:]),
            "precision": str(self.metadata.precision),
            "input": None if image is None else {"color": str(image.color), "size": image.size and list(image.size)},
            "labels": list(getattr(self.metadata.spec, "labels", ())),
            "styles": list(getattr(self.metadata.spec, "styles", ())),
            "licence": self.metadata.licence,
            "data_licence": self.metadata.provenance.data_licence,
            "quality": dict(self.metadata.quality),
            "default": self.default,
        }


@dataclass(frozen=True, kw_only=True)
class OfferedComposition:
    """What has no model of its own, and is asked for by the name of its task."""

    name: str

    @property
    def task(self) -> str:
        """What it is for, and called."""
        return self.name


class Catalogue:
    """The models and tasks of a server, in the order in which they are shown."""

    def __init__(self, models: Sequence[OfferedModel], tasks: Sequence[OfferedTask]) -> None:
        self.models = {model.name: model for model in models}
        self.tasks = {offered.name: offered for offered in tasks}

    def task(self, name: str) -> OfferedTask:
        """The task of that name; :class:`RefusalError` where it is not offered."""
        if name not in self.tasks:
            raise RefusalError(404, "task", f"there is no task {shortened(name)} here; there are {self._all_tasks()}")
        return self.tasks[name]

    def model(self, name: str) -> OfferedModel:
        """The model of that name; :class:`RefusalError` where there is none."""
        if name not in self.models:
            known = ", ".join(self.models)
            raise RefusalError(404, "model", f"there is no model {shortened(name)} here; there are {known}")
        return self.models[name]

    def offered(self, name: str) -> OfferedModel | OfferedComposition:
        """What answers under that name: a model, or a composition."""
        return OfferedComposition(name=name) if name in COMPOSITIONS else self.model(name)

    def answering(self, task: str, name: str | None) -> OfferedModel | OfferedComposition:
        """What answers a request for ``task``, which may name one of its models."""
        if task in COMPOSITIONS:
            if name is not None:
                raise RefusalError(422, "model", f"{task} chooses its models itself, and takes no name of one")
            return self.offered(task)
        if name is None:
            return next(model for model in self.models.values() if model.default and model.task == task)
        model = self.model(name)
        if model.task != task:
            raise RefusalError(422, "model", f"the model {name} is for {model.task}, not for {task}")
        return model

    def _all_tasks(self) -> str:
        return ", ".join(self.tasks)


def open_catalogue(models: Sequence[Path]) -> Catalogue:
    """What is offered with those ``models``, or with all that ship where none is named, and what those make together.

    Raises:
        InputError: two models have one name, or one is for a task that is not served.
        ModelFileError: a model cannot be used.
    """
    named = {name: resolve_model(name) for name in shipped_names()} if not models else _named(models)
    metadata = {name: require_metadata(verified_where_required(path)) for name, path in named.items()}
    tasks = {}
    for name in task_names():
        task = find_task(name)
        if task.served is not None and any(own.task == name for own in metadata.values()):
            tasks[name] = OfferedTask.of(name, task.summary, task.command, task.served)
    for name, facts in metadata.items():
        if models and facts.task not in tasks:
            raise InputError(
                f"{name} is for {facts.task}, which is not served; served are {', '.join(_served_tasks())}"
            )
    metadata = {name: own for name, own in metadata.items() if own.task in tasks}
    if not models:  # whose models are among those that ship
        for name, composition in COMPOSITIONS.items():
            if composition.served is not None:
                tasks[name] = OfferedTask.of(name, composition.summary, composition.command, composition.served)
    offered = [
        OfferedModel(
            name=name,
            path=path,
            metadata=metadata[name],
            default=name == _default_name(metadata[name].task, metadata),
            card=_card(find_task(metadata[name].task)),
        )
        for name, path in named.items()
        if name in metadata
    ]
    return Catalogue(offered, list(tasks.values()))


def _served_tasks() -> list[str]:
    return [name for name in task_names() if find_task(name).served is not None]


def _named(models: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in models:
        if path.stem in named:
            raise InputError(f"two models are called {path.stem!r}; rename a file, or serve them by two servers")
        named[path.stem] = path
    return named


def _default_name(task: str, metadata: Mapping[str, ModelMetadata]) -> str:
    """The model that is called as its task, as those that ship are, or else the first for it."""
    return task if task in metadata else next(name for name, own in metadata.items() if own.task == task)


def _card(task: Task) -> tuple[str, ...]:
    """The paragraphs of the verb's help, before its examples, with options as a page calls them."""
    text = cleandoc(load_object(task.command).__doc__ or task.summary).partition("Examples:\n")[0]
    text = re.sub(r"--model (\w+)", r"the model \1", text)
    text = re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", " ").capitalize(), text)
    return tuple(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip()))
