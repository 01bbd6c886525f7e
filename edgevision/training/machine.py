"""A line about the machine, for provenance."""

import os
import platform
from pathlib import Path

import torch


def describe_machine() -> str:
    """The processor's or the GPU's name and the number of cores, as in ``AMD EPYC, 2 cores``."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()
