"""Operator times of a model by OpenVINO's performance counters."""

import time
from collections import defaultdict
from statistics import median
from typing import Any

from edgevision.runtime.benchmark.engine_profile import EngineProfile, OperatorTime, Shape
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.openvino_engine import OpenVinoEngine, openvino_core

_RUNS = 30


def profile_openvino(subject: Subject) -> EngineProfile:
    """Run the subject's model 30 times with its counters on, compiled for the very shapes of its inputs."""
    assert isinstance(subject.engine, OpenVinoEngine)
    start = time.perf_counter()
    model = openvino_core().read_model(subject.path)
    read = time.perf_counter()
    model.reshape({name: array.shape for name, array in subject.inputs.items()})
    compiled = subject.engine.compile(model, PERF_COUNT="YES")
    done = time.perf_counter()
    request = compiled.create_infer_request()
    infer = denormals_as_zero(request.infer)
    durations: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, tuple[str, str]] = {}
    for run in range(_RUNS):
        infer(subject.inputs)
        for counter in request.get_profiling_info():
            # What was fused into another operator did not run; the first inference belongs to the warm-up.
            if counter.status.name == "EXECUTED" and run:
                durations[counter.node_name].append(counter.real_time.total_seconds() * 1e6)
                kinds[counter.node_name] = counter.node_type, counter.exec_type
    ports = {node.get_friendly_name(): node for node in compiled.get_runtime_model().get_ordered_ops()}
    operators = [
        OperatorTime(
            name=name,
            operator=kind,
            where=implementation,
            microseconds=median(durations[name]),
            inputs=_shapes(ports[name].inputs()) if name in ports else [],
            outputs=_shapes(ports[name].outputs()) if name in ports else [],
        )
        for name, (kind, implementation) in kinds.items()
    ]
    return EngineProfile(_RUNS - 1, 1e3 * (read - start), 1e3 * (done - read), operators)


def _shapes(ports: list[Any]) -> list[tuple[Shape, int]]:
    return [
        (tuple(port.get_partial_shape().to_shape()), max(1, port.get_element_type().size))
        for port in ports
        if port.get_partial_shape().is_static
    ]
