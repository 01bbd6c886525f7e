"""The verb ``edgevision devices``."""

import typer

from edgevision.commandline import JsonOption, print_json
from edgevision.machine import Machine
from edgevision.runtime.survey import survey


def devices(as_json: JsonOption = False) -> None:
    """What this machine can run models on, and for the rest the reason and what would bring it."""
    machine = Machine.this()
    reports = survey()
    if as_json:
        print_json({"machine": machine.to_dict(), "devices": [report.to_dict() for report in reports]})
        return
    typer.echo(f"{machine.processor}, {machine.cores} cores, {machine.memory_gb:.1f} GB, {machine.system}")
    if machine.features:
        typer.echo(f"CPU features: {', '.join(machine.features)}")
    for report in reports:
        engine = " ".join(filter(None, (report.engine, report.version)))
        state = "yes" if report.available else "no "
        typer.echo(f"{state}  {report.device:<9} {report.models:<6} {engine}")
        if not report.available:
            typer.echo(f"     {report.reason}\n     to have it: {report.remedy}")
