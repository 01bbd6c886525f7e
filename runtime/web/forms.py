"""Forms of one model, as float32 and int8: a site ships the one that is faster in WebAssembly."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgevision.core.errors import ParityError
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.web.site import FormTime, SiteReport, build_site, check_target
from edgevision.runtime.web.verification import verify_site

_ROUNDS = 3
"""Each form is measured so often, in turn, and its best time counts: other processes can only slow it down."""


def build_fastest_site(
    models: Sequence[Path], target: Path, *, runtime: Path | None = None, force: bool = False
) -> SiteReport:
    """As :func:`.build_site`; of models that are forms of one, only the one that a browser computes faster.

    Raises:
        DeviceError: there are forms, and no browser to measure them in.
        ParityError: no form of a model computes there what it computes here.
    """
    check_target(target, force=force)
    groups = groups_of_forms(models)
    times = _times([path for group in groups if len(group) > 1 for path in group], runtime)
    chosen, forms = [], []
    for group in groups:
        right = [path for path in group if times.get(path) is not None]
        if len(group) > 1 and not right:
            raise ParityError(f"no form of {group[0].stem!r} computes in the browser what it computes here")
        shipped = min(right, key=lambda path: times[path] or 0.0) if len(group) > 1 else group[0]
        chosen.append(shipped)
        forms += [
            FormTime(
                model=path.stem,
                precision=str(require_metadata(path).precision),
                milliseconds=times[path],
                shipped=path == shipped,
            )
            for path in group
            if len(group) > 1
        ]
    return build_site(chosen, target, runtime=runtime, force=force).updated(forms=tuple(forms))


def groups_of_forms(models: Sequence[Path]) -> list[list[Path]]:
    """The models in groups: together are those of one checkpoint and task whose precisions are all different."""
    groups: dict[object, list[Path]] = {}
    for path in models:
        metadata = require_metadata(path)
        checkpoint = metadata.provenance.checkpoint_sha256
        network: object = (metadata.task, checkpoint) if checkpoint is not None else path
        if any(require_metadata(other).precision == metadata.precision for other in groups.get(network, ())):
            network = path
        groups.setdefault(network, []).append(path)
    return list(groups.values())


def _times(models: Sequence[Path], runtime: Path | None) -> Mapping[Path, float | None]:
    """Milliseconds that a sample takes each model in WebAssembly; ``None`` where it is not right there."""
    if not models:
        return {}
    with tempfile.TemporaryDirectory(prefix="edgevision-web-") as folder:
        site = Path(folder) / "site"
        build_site(models, site, runtime=runtime)
        rounds = [verify_site(site, webgpu=False) for _ in range(_ROUNDS)]
    found: dict[Path, float | None] = {}
    for path in models:
        proofs = [model.backends[0] for proof in rounds for model in proof.models if model.model == path.stem]
        right = [proof.milliseconds for proof in proofs if proof.right and proof.milliseconds is not None]
        found[path] = min(right, default=None)
    return found
