"""The verb ``edgevision devices``."""

from edgevision.cli.options import JsonOption
from edgevision.cli.output import echo, print_json
from edgevision.core.machine import Machine
from edgevision.runtime.devices.listing import conflicts, list_devices
from edgevision.runtime.remote.on_boards import on_boards


@on_boards("devices", "edgevision.runtime.commands.devices_on_boards:devices_files")
def devices(as_json: JsonOption = False) -> None:
    """What this machine can run models on, and for the rest the reason and what would bring it.

    Examples:
        edgevision devices
        edgevision devices --on pi@raspberrypi.local
    """
    machine = Machine.this()
    reports, problems = list_devices(), conflicts()
    if as_json:
        print_json(
            {
                "machine": machine.to_dict(),
                "devices": [report.to_dict() for report in reports],
                "problems": list(problems),
            }
        )
        return
    echo(f"{machine.processor_and_cores}, {machine.memory_gb:.1f} GB, {machine.system}")
    if machine.features:
        echo(f"CPU features: {', '.join(machine.features)}")
    for problem in problems:
        echo(f"to be mended: {problem}", err=True)
    for report in reports:
        engine = " ".join(filter(None, (report.engine, report.version)))
        state = "yes" if report.available else "no "
        models = " ".join(report.models)
        abilities = f"{' '.join(report.precisions)}, {'any' if report.dynamic else 'fixed'} shapes"
        echo(f"{state}  {report.device:<9} {report.exact:<17} {models:<11} {abilities:<28} {engine}")
        if report.simulated:
            echo(f"     a simulator, for tests: --device {report.exact}")
        if not report.available:
            echo(f"     {report.reason}\n     to have it: {report.remedy}")
