"""Lines of the kernel's log that tell of too little voltage, too much current or too much heat."""

import re

_TELLING = (
    r"Under-?voltage detected!",  # Raspberry Pi
    r"soctherm: OC ALARM 0x[0-9a-fA-F]{1,8}",  # Jetson
    r"CPU[0-9]{1,4}: (?:Core|Package) temperature (?:is )?above threshold, cpu clock (?:is )?throttled",  # PCs
)
_LINE = re.compile(rf"^\[\s*([0-9]{{1,12}}\.[0-9]{{1,9}})\].*?({'|'.join(_TELLING)})", re.MULTILINE)


def parse_warnings(log: str) -> tuple[str, ...]:
    """The telling lines of ``dmesg``, each as "message (seconds since the start of the kernel)"."""
    return tuple(f"{message} ({seconds} s)" for seconds, message in _LINE.findall(log))
