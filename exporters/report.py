"""``NAME.report.json``: how a model file was made and what was measured before it was called good."""

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from edgevision.cli.output import REPORT_SCHEMA_VERSION
from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError
from edgevision.core.printable import exact_json, shortened
from edgevision.core.records import Record, record
from edgevision.core.regular_files import read_text_file
from edgevision.exporters.parity import ParityReport
from edgevision.exporters.quantization.report import QuantizationReport
from edgevision.modelfiles.metadata import ModelMetadata, Precision
from edgevision.modelfiles.model_file import ModelFormat, find_report


@record
class ExportReport(Record):
    """One export. ``verdict`` is ``good``, or ``failed`` with the ``reason``; then no model was written."""

    model: str
    checkpoint: str
    verdict: str
    format: ModelFormat
    precision: Precision
    exporter: str
    parity: ParityReport
    metadata: ModelMetadata
    seconds: float
    created: str
    quantization: QuantizationReport | None = None
    dynamic: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    operators: Mapping[str, int] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Store it as JSON at ``path``, replacing an earlier report."""
        document = {"schema_version": REPORT_SCHEMA_VERSION} | self.to_dict()
        with atomic_file(path) as temporary:
            temporary.write_text(exact_json(document, indent=2) + "\n", encoding="utf-8")


def read_report(model: Path) -> ExportReport:
    """The report beside a model file; :class:`InputError` where there is none, or it is none."""
    path = find_report(model)
    if not path.exists():
        raise InputError(
            f"{path.name!r}, the report of an export, does not lie beside {str(model)!r}: give the model that was"
            " exported, with its report"
        )
    text = read_text_file(path, "the report of the export")
    try:
        return ExportReport.from_dict(json.loads(text))
    except ValueError as error:
        raise InputError(f"{str(path)!r} is no report of an export: {shortened(str(error))}") from error
