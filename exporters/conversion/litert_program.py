"""Run by a Python that has litert-torch, which need not be ours: converts saved networks until its input ends.

It speaks as :mod:`.converter_process` says: what it reads are lists of the network's file (``.pt2``) and the file to
write (``.tflite``).
"""

import json
import os
import re
import sys
from typing import TextIO


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the converter prints is none
    import litert_torch
    import torch
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig
    from torch.ao.quantization.fx import _decomposed  # noqa: F401 - its import makes quantized_decomposed known

    _say(answers, None)
    for line in sys.stdin:
        source, target = json.loads(line)
        reason = None
        try:
            program = torch.export.load(source)
            quantized = any("quantize" in str(node.target) for node in program.graph.nodes)
            # Of the configuration only its kind counts: what is quantised, the network says.
            static = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False)
            config = QuantConfig(PT2EQuantizer().set_global(static)) if quantized else None
            litert_torch.convert(program.module(), program.example_inputs[0], quant_config=config).export(target)
        except Exception as error:  # its compiler has classes of its own
            reason = _first_failure(str(error)) or type(error).__name__
        _say(answers, reason)


def _first_failure(text: str) -> str:
    """As in ``mhlo.convolution``, where the compiler names what it has no operator for."""
    strange = re.findall(r"failed to legalize operation '([^']+)'", text)
    if strange:
        return f"it has no operator for {', '.join(dict.fromkeys(strange))}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


def _say(answers: TextIO, reason: str | None) -> None:
    print(json.dumps(reason), file=answers, flush=True)


if __name__ == "__main__":
    main()
