"""``edgevision devices --on``: nothing goes to a board, and what it prints is read as data of one form."""

from typing import Any

from edgevision.core.machine import Machine
from edgevision.core.records import Record, record
from edgevision.runtime.devices.listing import DeviceReport
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand


@record
class _Document(Record):
    machine: Machine
    devices: tuple[DeviceReport, ...]
    problems: tuple[str, ...]


def devices_files(command: RemoteCommand) -> None:
    """Every value means the same there as here."""
    command.read_document = _read_document


def _read_document(document: dict[str, Any], fetched: Fetched) -> dict[str, Any]:
    _Document.from_dict(document, "document")
    return document
