"""What int8 gains on this kind of CPU, and what ONNX Runtime's switch against saturation costs there.

    edgevision export CHECKPOINT -o float.onnx
    edgevision export CHECKPOINT --int8 --prefer int8 --calibration DATA --preset quick --threads 1 -o int8.onnx
    python benchmarks/cpu_kinds.py float.onnx int8.onnx --shape 1x1x180x180     # or float.xml int8.xml, in OpenVINO

One thread, CPU time, interleaved, on random input: the float model, the int8 model as the library opens it by itself,
with its switch against saturation (ONNX Runtime's ``session.x64quantprecision`` makes u8 weights of s8, OpenVINO's
``LP_TRANSFORMS_MODE`` computes in float), and as edgevision opens it. Their outputs are compared: where those without
and with the switch differ, this CPU saturates. Under ``qemu-x86_64 -cpu Haswell`` or
``Westmere`` the outputs are those of such a CPU; times there mean nothing.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from edgevision.cli.values import parse_shape
from edgevision.core.machine import Machine
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.benchmark.random_inputs import input_shapes, random_inputs
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.openvino_engine import openvino_core

Run = Callable[[], list[Any]]


def session_run(path: Path, feeds: dict[str, Any], **entries: str) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for name, value in entries.items():
        options.add_session_config_entry(f"session.{name}", value)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def request_run(path: Path, feeds: dict[str, Any], **properties: str) -> Run:
    fixed = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    core = openvino_core()
    request = core.compile_model(core.read_model(path), "CPU", fixed | properties).create_infer_request()
    return lambda: list(request.infer(feeds).values())


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("float", type=Path)
parser.add_argument("int8", type=Path)
parser.add_argument("--shape", help="of the input, where the model's axes are dynamic")
parser.add_argument("--seconds", type=float, default=20.0)
arguments = parser.parse_args()

machine = Machine.this()
print(f"{machine.processor}: {' '.join(machine.features)}")
openvino = arguments.int8.suffix == ".xml"
plain, switch = (request_run, {"LP_TRANSFORMS_MODE": "NO"}) if openvino else (session_run, {"x64quantprecision": "1"})
metadata = require_metadata(arguments.int8)
device = "openvino:cpu" if openvino else "ort:cpu"
with open_engine(arguments.float, device, threads=1) as before, open_engine(arguments.int8, device, threads=1) as after:
    shape = parse_shape(arguments.shape) if arguments.shape else None
    feeds = random_inputs(before.inputs, metadata, input_shapes(before.inputs, metadata, batch=1, shape=shape), 0)
    runs: dict[str, Run] = {
        "fp32": lambda: before.run(feeds),
        "int8, plain": plain(arguments.int8, feeds),
        f"int8, {next(iter(switch))}": plain(arguments.int8, feeds, **switch),
        f"int8 for {metadata.target}, as edgevision opens it": lambda: after.run(feeds),
    }
    print(before.name)
    outputs = {name: run()[0] for name, run in runs.items()}
    timer = InterleavedTimer(runs, clock=time.thread_time_ns)
    timer.measure(arguments.seconds, most=10**9)

print(f"{'':46}  CPU ms  times as fast as fp32  SQNR over fp32  as edgevision's")
for name, output in outputs.items():
    found = timer.speedup(name, over="fp32")
    sqnr = sqnr_db(outputs["fp32"], output)
    same = np.array_equal(output, list(outputs.values())[-1])
    interval = f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"
    print(f"{name:46}  {found.after_ms:6.2f}  {interval:21}  {sqnr:11.1f} dB  {'the same' if same else 'differs'}")
