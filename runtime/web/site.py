"""A folder of static files that runs models in the browser of whoever opens it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgevision import __version__
from edgevision.core.atomic_files import temporary_folder, translated_write_errors
from edgevision.core.errors import InputError, OutputError
from edgevision.core.file_system import rename_over
from edgevision.core.records import Record, record
from edgevision.modelfiles.model_file import ModelFormat, is_encrypted, model_format, read_graph
from edgevision.runtime.serving.catalogue import Catalogue, OfferedModel, OfferedTask, open_catalogue
from edgevision.runtime.web.onnxruntime_web import runtime_facts, runtime_files
from edgevision.runtime.web.parity_samples import parity_samples

SITE_SCHEMA = 1
DESCRIPTION = "site.json"

_HERE = Path(__file__).parent
_PAGE = _HERE.parent / "serving" / "page"
_LOCAL = _HERE / "local"

# What of the server's page asks a server.
_OF_THE_SERVER = ("backend.js", "server.js", "token_dialog.js")
_BACKEND = '// What answers the page: here this browser itself.\n\nexport * from "../local/backend.js";\n'

_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' blob: data:;"
    " connect-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'"
)
_HEAD = '<link rel="stylesheet" href="page/style.css">'
_DIALOG = ('<dialog id="token-dialog"', "</dialog>\n")


@record
class FormTime(Record):
    """One of several forms of a model: ``milliseconds`` of a sample in WebAssembly, ``None`` where it is not right."""

    model: str
    precision: str
    milliseconds: float | None = None
    shipped: bool


@record
class SiteReport(Record):
    """What was written: the models, the bytes of all files, and ``version``, which another content would not have.

    ``forms`` are those of one model that were measured in a browser, of which one is there.
    """

    schema_version: int = SITE_SCHEMA
    site: str
    version: str
    models: tuple[str, ...]
    files: int
    bytes: int
    runtime: Mapping[str, str]
    forms: tuple[FormTime, ...] = ()


def build_site(models: Sequence[Path], target: Path, *, runtime: Path | None = None, force: bool = False) -> SiteReport:
    """Write the site of ``models`` into the folder ``target``, which is there whole or not at all.

    Args:
        runtime: where onnxruntime-web is, see :func:`.onnxruntime_web.runtime_files`.
        force: replace a site that is there.

    Raises:
        InputError: a model cannot run in a browser, or the runtime cannot be had.
        OutputError: ``target`` exists, and is no site or ``force`` is false, or it cannot be written.
    """
    check_target(target, force=force)
    catalogue = open_catalogue(models)
    tasks = {name: _task_document(offered) for name, offered in catalogue.tasks.items()}
    files = _page_files() | {f"runtime/{name}": content for name, content in runtime_files(runtime).items()}
    documents = []
    for model in catalogue.models.values():
        document, own = _model_document(model, catalogue)
        documents.append(document)
        files |= own
    files[DESCRIPTION] = _json(
        {
            "schema_version": SITE_SCHEMA,
            "edgevision": __version__,
            "version": _version(files),
            "runtime": runtime_facts(),
            "tasks": list(tasks.values()),
            "models": documents,
        }
    )
    version = _version(files)
    files["sw.js"] = _service_worker(files, version)
    _write(files, target)
    return SiteReport(
        site=str(target),
        version=version,
        models=tuple(catalogue.models),
        files=len(files),
        bytes=sum(map(len, files.values())),
        runtime=runtime_facts(),
    )


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a folder that is not to be written before the work starts; :class:`OutputError`."""
    if not target.exists():
        if not target.parent.is_dir():
            raise OutputError(
                f"the output folder {str(target.parent)!r} does not exist; create it or choose another -o"
            )
        return
    if not target.is_dir():
        raise OutputError(f"the output {str(target)!r} is a file; give a folder")
    if not any(target.iterdir()):
        return
    if not (target / DESCRIPTION).is_file():
        raise OutputError(f"{str(target)!r} is a folder with other files, which are not replaced; choose another -o")
    if not force:
        raise OutputError(f"{str(target)!r} exists already; --force overwrites it")


def _page_files() -> dict[str, bytes]:
    page = {path.name: path.read_bytes() for path in sorted(_PAGE.iterdir()) if path.name not in _OF_THE_SERVER}
    index = page.pop("index.html").decode()
    begin = index.index(_DIALOG[0])
    end = index.index(_DIALOG[1], begin) + len(_DIALOG[1])
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    own_style = '<link rel="stylesheet" href="local/style.css">'
    page["backend.js"] = _BACKEND.encode()
    # What the page imports is fetched at once, not one after the other has been read.
    early = "".join(f'\n<link rel="modulepreload" href="page/{name}">' for name in page if name.endswith(".js"))
    index = (index[:begin] + index[end:]).replace(_HEAD, f"{policy}\n{_HEAD}\n{own_style}{early}")
    local = {
        f"local/{path.relative_to(_LOCAL).as_posix()}": path.read_bytes()
        for path in sorted(_LOCAL.rglob("*"))
        if path.suffix in (".js", ".css")
    }
    return {"index.html": index.encode(), **{f"page/{name}": content for name, content in page.items()}, **local}


def _task_document(offered: OfferedTask) -> dict[str, Any]:
    """As ``/v1/tasks`` of a server, with those options only that a browser has."""
    browser = offered.served.browser
    if browser is None:
        raise InputError(
            f"{offered.name} does not run in a browser: {offered.served.not_in_browser}; edgevision serve offers it"
        )
    document = offered.to_dict()
    kept = {option.name for option in offered.options.values() if option.parameter in browser.options}
    options = [option for option in document["options"] if option["name"] in kept]
    kind = "picture" if offered.served.answer_kind == "picture" else "json"
    return document | {"options": options, "answer": kind}


def _model_document(model: OfferedModel, catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the page says and needs of a model, and its files."""
    if model_format(model.path) is not ModelFormat.ONNX:
        raise InputError(f"{model.path.name!r} is no ONNX model, which is all that browsers run here; export one")
    if is_encrypted(model.path):
        raise InputError(f"{model.path.name!r} is encrypted, and what is in a page everybody can read")
    if read_graph(model.path).external_data:
        raise InputError(f"{model.path.name!r} keeps weights in other files; a page takes models of one file")
    served = catalogue.tasks[model.metadata.task].served
    browser, refusal = served.browser, served.browser_refusal(model.metadata)
    assert browser is not None
    if refusal is not None:
        raise InputError(f"{model.name!r} does not run in a browser: {refusal}; edgevision serve offers it")
    file, samples_file = f"models/{model.name}.onnx", f"models/{model.name}.samples.bin"
    samples = parity_samples(model.path, model.metadata, samples_file)
    described = model.to_dict()
    document = described | {
        "bad_at": " ".join(filter(None, (described["bad_at"], browser.limits))),
        "module": browser.module,
        "file": file,
        "metadata": model.metadata.to_dict(),
        "parity": samples.facts.to_dict(),
    }
    return document, {file: model.path.read_bytes(), samples_file: samples.content}


def _service_worker(files: Mapping[str, bytes], version: str) -> bytes:
    site = {"version": version, "files": {name: sha256(content).hexdigest() for name, content in sorted(files.items())}}
    return f"const SITE = {json.dumps(site, indent=1)};\n\n".encode() + (_HERE / "service_worker.js").read_bytes()


def _version(files: Mapping[str, bytes]) -> str:
    digest = sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _write(files: Mapping[str, bytes], target: Path) -> None:
    with translated_write_errors(target), temporary_folder(target.parent) as folder:
        made = folder / target.name
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if target.exists():
            rename_over(target, folder / "before")
        rename_over(made, target)
        shutil.rmtree(folder / "before", ignore_errors=True)
