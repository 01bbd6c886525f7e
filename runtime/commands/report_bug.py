"""The verb ``edgevision report-bug``."""

import platform
import re
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision import __version__
from edgevision.cli.options import ForceOption, JsonOption
from edgevision.cli.output import echo, json_report, print_json
from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.core.errors import OutputError
from edgevision.core.last_error import last_error, without_names
from edgevision.core.machine import Machine
from edgevision.core.printable import exact_json
from edgevision.runtime.devices.listing import conflicts, list_devices

_SUFFIXES = (".json", ".txt")
_NAME = re.compile(r"[\w.-]+")


def report_bug(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file that is written.")] = Path(
        "edgevision-report.json"
    ),
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write what a report of a fault needs into a file, for you to read before you send it anywhere.

    It holds versions, what this machine can run on, and the last error of a command, with paths, names of files, users
    and machines, and addresses taken out. Nothing is sent.

    Examples:
        edgevision report-bug
        edgevision report-bug -o report.json --force
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise OutputError(
            f"the report is JSON, for which {output.name!r} is no name; end it in {' or '.join(_SUFFIXES)}"
        )
    check_writable(output, force=force)
    document = _report()
    with atomic_file(output, force=force) as file:
        file.write_text(exact_json(json_report(document), indent=2, ascii_only=True) + "\n", encoding="utf-8")
    if as_json:
        print_json(document)
        return
    error = document["last_error"]
    echo(f"{output}: read it, then add what you did and what you expected.")
    echo(f"last error: {error['error']} in {error['verb'] or 'edgevision'}" if error else "last error: none is known")


def _report() -> dict[str, Any]:
    return {
        "versions": {"edgevision": __version__, "python": platform.python_version()} | _versions(),
        "python": {"implementation": platform.python_implementation(), "64-bit": sys.maxsize > 2**32},
        "machine": Machine.this().to_dict(),
        "devices": [_without_names(report.to_dict()) for report in list_devices()],
        "problems": [without_names(problem) for problem in conflicts()],
        "last_error": last_error(),
    }


def _versions() -> dict[str, str]:
    """Of every package that edgevision itself or one of its extras asks for, and that is here."""
    try:
        wanted = _NAME.findall(" ".join(line.split()[0] for line in metadata.requires("edgevision") or ()))
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        wanted = ["numpy", "pillow", "typer", "onnxruntime", "openvino", "torch"]
    versions = {}
    for name in dict.fromkeys(wanted):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _without_names(value: Any) -> Any:
    """JSON values without what belongs to the user."""
    if isinstance(value, str):
        return without_names(value)
    if isinstance(value, dict):
        return {key: _without_names(item) for key, item in value.items()}
    return [_without_names(item) for item in value] if isinstance(value, list | tuple) else value
