"""Run by a Python that has rknn-toolkit2, which need not be ours: builds and simulates RKNN models until input ends.

It speaks as :mod:`.converter_process` says. The requests are ``["build", ONNX, RKNN, platform]`` and ``["open", name,
ONNX, platform]`` for a simulated model, of that ``["run", name, inputs.npz, outputs.npz]`` and ``["close", name]``.
"""

import ctypes
import json
import os
import re
import sys
import tempfile
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is
    for number in (1, 2):
        os.dup2(said.fileno(), number)
    import numpy as np
    from rknn.api import RKNN

    libc = ctypes.CDLL(None)

    def built(source: str, platform: str) -> Any:
        model = RKNN(verbose=False)
        _check(model.config(target_platform=platform), "config")
        _check(model.load_onnx(source), "load_onnx")
        _check(model.build(do_quantization=False), "build")
        libc.fflush(None)  # what its library says waits in buffers of C
        size = os.fstat(said.fileno()).st_size
        strange = re.findall(rb"No lowering found for: .*?node type = (\w+)", os.pread(said.fileno(), size, 0))
        if strange:
            raise ValueError(f"it has no operator for {', '.join(dict.fromkeys(one.decode() for one in strange))}")
        return model

    models: dict[str, Any] = {}
    print(json.dumps(None), file=answers, flush=True)
    for line in sys.stdin:
        act, *arguments = json.loads(line)
        reason = None
        os.ftruncate(said.fileno(), 0)
        try:
            if act == "build":
                source, target, platform = arguments
                model = built(source, platform)
                _check(model.export_rknn(target), "export_rknn")
                model.release()
            elif act == "open":
                name, source, platform = arguments
                models[name] = built(source, platform)
                _check(models[name].init_runtime(), "init_runtime")
            elif act == "run":
                name, inputs, outputs = arguments
                with np.load(inputs) as arrays:
                    given = [arrays[key] for key in arrays.files]
                found = models[name].inference(given, data_format=["nchw"] * len(given))
                np.savez(outputs, *found)
            else:
                models.pop(arguments[0]).release()
        except Exception as error:  # the toolkit has classes of its own
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[-1][:200] if lines else type(error).__name__
        print(json.dumps(reason), file=answers, flush=True)


def _check(status: int, act: str) -> None:
    if status != 0:
        raise ValueError(f"{act} failed")


if __name__ == "__main__":
    main()
