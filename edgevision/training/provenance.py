"""Where trained weights come from: the command that makes them again, the machine, the hours and the versions."""

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import lightning
import torch

import edgevision
from edgevision.core.machine import Machine
from edgevision.modelfiles.metadata import Provenance
from edgevision.training.settings import TrainingSettings


def training_provenance(settings: TrainingSettings, data: str | Sequence[str], hours: float) -> Provenance:
    """The provenance of weights that this very process trained on ``data``, one source or several."""
    machine = Machine.this()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return Provenance(
        data=" + ".join(Path(source).name for source in ([data] if isinstance(data, str) else data)),
        data_licence=settings.data_licence,
        command=shlex.join([*_program(), *sys.argv[1:]]),
        machine=gpu or machine.processor_and_cores,
        hours=round(hours, 2),
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        versions={
            "edgevision": edgevision.__version__,
            "torch": str(torch.__version__),
            "lightning": str(lightning.__version__),
        },
    )


def _program() -> list[str]:
    """How the running program is called; its own folder says nothing to anyone else."""
    program = Path(sys.argv[0])
    # Run as ``python -m edgevision`` it is a file of that name.
    own = program.suffix != ".py" or program.name == "__main__.py"
    return ["edgevision"] if own else ["python", program.name]
