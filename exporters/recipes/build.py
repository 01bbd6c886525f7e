"""Building a recipe: each step once for the same content, and a lock of all that it depended on and gave."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edgevision
from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import EdgevisionError, InputError
from edgevision.core.folder_search import files_below
from edgevision.core.machine import Machine
from edgevision.core.regular_files import sha256
from edgevision.exporters.recipes.recipe import Recipe, Step

LOCK_SCHEMA_VERSION = 1

_PACKAGES = ("edgevision", "numpy", "pillow", "torch", "lightning", "onnx", "onnxruntime", "openvino", "nncf")

# What is measured differs from run to run; what is computed does not.
_MEASURED = ("bench",)


@dataclass(frozen=True, kw_only=True)
class BuiltStep:
    """What became of a step: the ``facts`` it depended on, the hashes of its outputs, its figures by name."""

    name: str
    facts: Mapping[str, str]
    outputs: Mapping[str, str]
    figures: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What the lock holds of it."""
        return {"facts": dict(self.facts), "outputs": dict(self.outputs), "figures": dict(self.figures)}


def build_recipe(recipe: Recipe, build: Path, say: Callable[[str], None]) -> list[BuiltStep]:
    """Run the steps whose content is new, and take the others from an earlier build in the same folder.

    Raises:
        EdgevisionError: a command failed; what is finished is kept.
        InputError: an input cannot be read.
    """
    kept = build / "steps"
    kept.mkdir(parents=True, exist_ok=True)
    built: list[BuiltStep] = []
    for step in recipe.steps:
        facts = _facts(step, build, built)
        earlier = _earlier(kept / f"{step.name}.json", step, facts, build)
        if earlier is not None:
            built.append(earlier)
            continue
        say(f"{step.name}: edgevision {' '.join(step.words)}")
        result = _run(step)
        outputs = {path.name: _computed_hash(path) for path in step.outputs if path.is_file()}
        done = BuiltStep(name=step.name, facts=facts, outputs=outputs, figures=_figures(result))
        with atomic_file(kept / f"{step.name}.json") as temporary:
            temporary.write_text(json.dumps(done.to_dict(), indent=2) + "\n", "utf-8")
        built.append(done)
    return built


def failed_gates(recipe: Recipe, built: list[BuiltStep]) -> list[str]:
    """Which gates are not met, in words.

    Raises:
        InputError: a gate is for a figure that no step gives.
    """
    figures: dict[str, float] = {}
    for step in built:
        figures |= step.figures
    failed = []
    for gate, bound in recipe.gates.items():
        side, _, name = gate.partition("_")
        if name not in figures:
            raise InputError(f"the gate {gate!r} is for a figure that no step gives; there are {', '.join(figures)}")
        value = figures[name]
        if not (value >= bound if side == "min" else value <= bound):
            failed.append(f"{name} is {value:g}, and has to be at {'least' if side == 'min' else 'most'} {bound:g}")
    return failed


def lock_document(recipe: Recipe, built: list[BuiltStep]) -> dict[str, Any]:
    """What ``recipe.lock`` holds."""
    return {
        "lock_version": LOCK_SCHEMA_VERSION,
        "recipe": recipe.name,
        "machine": Machine.this().processor_and_cores,
        "steps": {step.name: step.to_dict() for step in built},
    }


def first_difference(lock: Mapping[str, Any], built: list[BuiltStep]) -> str | None:
    """What of a build is not as the lock says, the first thing first, and why; ``None`` where all is."""
    for step in built:
        locked = lock["steps"].get(step.name)
        if locked is None:
            return f"the lock has no step {step.name!r}"
        for kind, own in (("facts", step.facts), ("outputs", step.outputs), ("figures", step.figures)):
            for name in [*locked[kind], *(name for name in own if name not in locked[kind])]:
                was, now = locked[kind].get(name), own.get(name)
                if was == now or (kind != "facts" and step.name in _MEASURED):
                    continue
                why = "" if kind == "facts" else _why(lock)
                return f"{step.name}: {name} is {now}, and was {was}{why}"
    return None


def _why(lock: Mapping[str, Any]) -> str:
    """Why what depends on the same things may have come out otherwise."""
    here = Machine.this().processor_and_cores
    if here == lock["machine"]:
        return "; nothing that it depends on differs, so the step is not repeatable to the bit"
    return f"; everything else is equal, but it was built on {lock['machine']}, and this is {here}"


def _facts(step: Step, build: Path, built: list[BuiltStep]) -> dict[str, str]:
    """All that a step depends on, by name; the folder of the build and of the recipe are none of it."""
    # Longest first, as one may be the beginning of another.
    words = " ".join(step.words)
    for path in sorted(step.inputs, key=lambda path: -len(str(path))):
        words = words.replace(str(path), path.name)
    facts = {"command": words.replace(str(build), "BUILD")}
    facts |= {f"input {path.name}": _content_hash(path) for path in step.inputs}
    if built:
        facts |= {f"from {name}": digest for name, digest in built[0 if step.name == "export" else -1].outputs.items()}
        if step.name in ("evaluate", "bench"):
            (export,) = (one for one in built if one.name == "export")
            facts |= {f"from {name}": digest for name, digest in export.outputs.items()}
    facts |= {f"version {name}": version for name, version in _versions().items()}
    if step.name in _MEASURED:
        facts["machine"] = Machine.this().processor_and_cores
    return facts


def _content_hash(path: Path) -> str:
    if path.is_file():
        return sha256(path)
    listing = hashlib.sha256()
    for file in files_below(path):
        listing.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return listing.hexdigest()


def _computed_hash(path: Path) -> str:
    """The hash of what a model computes, without what stands in it of when, where and for how long it was made."""
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        del model.metadata_props[:]
        return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    if path.suffix == ".pt":
        import torch

        weights = hashlib.sha256()
        for name, tensor in sorted(torch.load(path, map_location="cpu", weights_only=True)["state_dict"].items()):
            weights.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\0".encode() + tensor.numpy().tobytes())
        return weights.hexdigest()
    return sha256(path)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"edgevision": edgevision.__version__}
    for name in _PACKAGES[1:]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _earlier(record: Path, step: Step, facts: Mapping[str, str], build: Path) -> BuiltStep | None:
    """The step as it was built before, if nothing has changed since, its outputs included."""
    try:
        known = json.loads(record.read_text("utf-8"))
        outputs = {path.name: _computed_hash(path) for path in step.outputs}
    except (OSError, ValueError):
        return None
    if known.get("facts") != dict(facts) or known.get("outputs") != outputs:
        return None
    return BuiltStep(name=step.name, facts=facts, outputs=outputs, figures=known.get("figures", {}), reused=True)


def _run(step: Step) -> dict[str, Any]:
    """Run a command in a process of its own; what it printed, of one that prints JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "edgevision", *step.words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode != 0:
        error = EdgevisionError(f"the step {step.name!r} ended with code {done.returncode}; its own words are above")
        error.exit_code = done.returncode
        raise error
    _rename_checkpoint(step)
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {}
    return result


def _rename_checkpoint(step: Step) -> None:
    """Give what a training wrote, which is called as its network, the name of the recipe."""
    if step.name != "train" or step.outputs[0].is_file():
        return
    (written,) = (path for path in step.outputs[0].parent.glob("*.pt"))
    written.replace(step.outputs[0])


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an evaluation, the figures in the metadata of an export, the latency of a measurement."""
    tables = [result, result.get("figures"), (result.get("metadata") or {}).get("quality")]
    figures = {key: value for table in tables if table for key, value in table.items() if isinstance(value, float)}
    for subject in result.get("subjects", [])[:1]:
        for key, value in subject.get("latency", {}).items():
            number = value.get("value") if isinstance(value, dict) else value
            if key.endswith("_ms") and isinstance(number, float):
                figures[key] = number
    figures.pop("seconds", None)
    return figures
