"""The verb ``edgevision bench``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.commandline import (
    DeviceOption,
    JsonOption,
    QuietOption,
    SeedOption,
    ThreadsOption,
    parse_shape,
    print_json,
)
from edgevision.runtime.benchmark.latency import LatencyReport, benchmark


def bench(
    model: Annotated[Path, typer.Argument(help="Model file (.onnx or .xml).")],
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    batch: Annotated[int, typer.Option(help="Pictures an inference.")] = 1,
    shape: Annotated[str | None, typer.Option(help="Full input shape where it is free, e.g. 1x3x224x224.")] = None,
    seconds: Annotated[float, typer.Option(help="How long to measure; at least 100 inferences.")] = 5.0,
    warmup: Annotated[float, typer.Option(help="Seconds to run before measuring.")] = 1.0,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure a model's latency on this machine: inference alone, every sample kept, warm-up apart."""
    if not quiet and not as_json:
        typer.echo(f"measuring {model.name} for {warmup + seconds:g} s ...", err=True)
    report = benchmark(
        model,
        device,
        threads=threads,
        batch=batch,
        shape=parse_shape(shape) if shape else None,
        seconds=seconds,
        warmup=warmup,
        seed=seed,
    )
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo(_table(report))


def _table(r: LatencyReport) -> str:
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in r.shapes.items())
    memory = "unknown" if r.peak_memory_mb is None else f"{r.peak_memory_mb:.0f} MB, the whole process"
    rows = [
        ("model", f"{r.model}, {shapes}"),
        ("ran on", f"{r.device} ({r.provider}), {r.engine}, {r.threads or 'all'} threads"),
        ("machine", f"{r.machine.processor}, {r.machine.cores} cores, load {r.load_average or 0:.1f}"),
        ("load", f"{r.load_ms:.1f} ms, first inference {r.first_ms:.2f} ms"),
        ("warm-up", f"{r.warmup_runs} runs, {r.warmup_ms / 1000:.1f} s, not counted"),
        ("latency", f"p50 {r.p50_ms:.3f} ms   p90 {r.p90_ms:.3f} ms   p99 {r.p99_ms:.3f} ms   ({r.runs} runs)"),
        ("", f"mean {r.mean_ms:.3f} ms ± {r.std_ms:.3f}, from {r.min_ms:.3f} to {r.max_ms:.3f} ms"),
        ("throughput", f"{r.throughput:.1f} pictures/s at batch {r.batch}"),
        ("memory", memory),
    ]
    return "\n".join(f"{name:<11} {value}" for name, value in rows)
