"""The JSON Schema files of the site: of every document that `--json` prints, and of reports and metadata.

Most are records, of which the schema is what their fields say; the rest is what the verbs put around them. Keys that
are not named may be there: a later release adds some.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Union, get_args, get_origin, get_type_hints

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from edgevision.core.machine import Machine
from edgevision.core.records import Record, record
from edgevision.exporters.comparison.diff import DiffReport
from edgevision.exporters.report import ExportReport
from edgevision.exporters.verify import VerificationReport
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_facts import ModelFacts
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.benchmark.comparison import Comparison
from edgevision.runtime.benchmark.report import MeasuredRun
from edgevision.runtime.compositions.board_files import _Document as compositions_document
from edgevision.runtime.devices.listing import DeviceReport
from edgevision.runtime.remote.documents import FailedInput, OutputsDocument, RunDocument
from edgevision.runtime.tasks.evaluation import QualityReport
from edgevision.runtime.tasks.sequences.board_files import _AnsweredFrame as answered_frame
from edgevision.runtime.tasks.sequences.board_files import _End as end_of_sources
from edgevision.runtime.web.site import SiteReport
from edgevision.runtime.web.verification import SiteProof

PAGE = "reference/schemas.md"
FOLDER = "reference/schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}

Schema = dict[str, Any]


@record
class _Made(Record):
    input: str
    output: str


@record
class _PicturesMade(RunDocument):
    """What is printed where a picture is made of each picture."""

    seconds: float
    results: tuple[_Made, ...]
    failures: tuple[FailedInput, ...]


@record
class _Track(Record):
    id: int
    seen: bool
    label: str
    score: float
    box: tuple[float, float, float, float]


@record
class _FollowedFrame(Record):
    source: str
    frame: int
    time: float
    latency_ms: float
    width: int
    height: int
    tracks: tuple[_Track, ...]


@record
class _BuiltStep(Record):
    facts: Mapping[str, str]
    outputs: Mapping[str, str]
    figures: Mapping[str, float]
    reused: bool


# Of rooms whose verbs print what others print too.
_USUAL = {
    "autoencoding": OutputsDocument,
    "compression": OutputsDocument,
    "generation": OutputsDocument,
    "restoration": _PicturesMade,
    "stylization": _PicturesMade,
    "translation": _PicturesMade,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files, and the page that lists them."""
    lines = ["# JSON Schemas", "", "Of what `--json` prints, and of the reports and metadata that are written.", ""]
    for name, schema in schemas().items():
        content = json.dumps(schema, indent=1) + "\n"
        files.append(File.generated(config, f"{FOLDER}/{name}.schema.json", content=content))
        lines.append(f"- [{name}](schemas/{name}.schema.json): {schema['title']}")
    files.append(File.generated(config, PAGE, content="\n".join(lines) + "\n"))
    return files


def schemas() -> dict[str, Schema]:
    """All schemas by their names."""
    found = {
        "devices": _document(
            "edgevision devices --json", machine=Machine, devices=tuple[DeviceReport, ...], problems=tuple[str, ...]
        ),
        "inspect": _document("edgevision inspect --json", ModelFacts, model=str),
        "evaluate": _document("edgevision evaluate --json", QualityReport, model=str),
        "bench": _document("edgevision bench --json, and files of measurements", MeasuredRun),
        "compare": _document("edgevision compare --json", Comparison),
        "export": _document("edgevision export --json, and NAME.report.json", ExportReport),
        "verify": _document("edgevision verify --json", VerificationReport),
        "diff": _document("edgevision diff --json", DiffReport),
        "web": _document("edgevision web --json", SiteReport),
        "verify-site": _document("edgevision verify SITE --json", SiteProof),
        "evaluate-track": _document(
            "edgevision evaluate track --json", result=str, truth=str, frames=int, figures=Mapping[str, float]
        ),
        "sign": _document("edgevision sign --json", model=str, signed=tuple[str, ...], outputs=tuple[str, ...]),
        "encrypt": _document("edgevision encrypt --json", outputs=tuple[str, ...]),
        "build": _document(
            "edgevision build --json", recipe=str, steps=Mapping[str, _BuiltStep], failed_gates=tuple[str, ...]
        ),
        "report-bug": _document(
            "edgevision report-bug --json, and the file that it writes",
            versions=Mapping[str, str],
            machine=Machine,
            devices=tuple[DeviceReport, ...],
            problems=tuple[str, ...],
            last_error=dict[str, Any] | None,
        ),
        "metadata": _whole("What a model file says of itself, under the key edgevision", _metadata()),
    }
    for name in task_names():
        room = find_task(name).command.partition(":")[0].rpartition(".")[0]
        if find_spec(f"{room}.board_files"):
            usual = _USUAL.get(room.rpartition(".")[2])
            printed = getattr(import_module(f"{room}.board_files"), "_Document", usual)
            if printed is not None:
                found[f"run-{name}"] = _document(f"edgevision run {name} --json", printed)
    for name, line in (("sequence", answered_frame), ("track", _FollowedFrame)):
        either = {"anyOf": [_record(line), _record(end_of_sources)]}
        found[f"run-{name}"] = _whole(f"Each line of edgevision run {name} --json", either)
    for name in ("cutout", "remove", "replace"):
        found[f"run-{name}"] = _document(f"edgevision run {name} --json", compositions_document)
    return found


def _whole(title: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, "title": title} | schema


def _document(title: str, around: type[Record] | None = None, **own: Any) -> Schema:
    """A document that is a record, or has one's fields beside its own."""
    schema = {"type": "object", "properties": {}, "required": []} if around is None else _record(around)
    properties = {"schema_version": {"const": 1}} | schema["properties"]
    properties |= {name: schema_of(kind) for name, kind in own.items()}
    return _whole(title, schema | {"properties": properties, "required": ["schema_version", *schema["required"], *own]})


def schema_of(kind: Any) -> Schema:
    """What a value may be whose type is declared as ``kind``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(one) for one in arguments]}
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return {"type": "array", "items": schema_of(arguments[0])}
        each = [schema_of(one) for one in arguments]
        return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if kind is ModelMetadata:
        return _metadata()
    if isinstance(kind, type) and issubclass(kind, Record):
        return _record(kind)
    return {}


def _record(kind: type[Record]) -> Schema:
    hints = get_type_hints(kind)
    own = [field for field in fields(kind) if field.name != "extra"]
    required = [field.name for field in own if field.default is MISSING and field.default_factory is MISSING]
    return {
        "type": "object",
        "properties": {field.name: schema_of(hints[field.name]) for field in own},
        "required": required,
    }


def _metadata() -> Schema:
    """The metadata, of which ``spec`` is what the task says it is."""
    whole = _record(ModelMetadata)
    whole["properties"]["spec"] = {"type": "object"}
    whole["allOf"] = [
        {
            "if": {"properties": {"task": {"const": name}}, "required": ["task"]},
            "then": {"properties": {"spec": _record(task.spec)}},
        }
        for name in task_names()
        if (task := find_task(name)).spec is not None
    ]
    return whole
