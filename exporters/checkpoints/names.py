"""What the names of weights say: which belong together whatever wrapped them, and what kind of weights they are of."""

import re
from collections.abc import Sequence

# What DataParallel, compile, FSDP, activation checkpointing and Fabric put into the names of what they wrap.
_WRAPPER = re.compile(
    r"(?<![^.])(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)(?:\.|$)"
)
# Parametrisations hold the parts of a weight where the hooks of old (weight_norm, spectral_norm) had attributes.
_PARTS = {"original0": "_g", "original1": "_v", "original": "_orig", "0._u": "_u", "0._v": "_v"}
_PARAMETRIZED = re.compile(rf"(?<![^.])parametrizations\.(\w+)\.({'|'.join(map(re.escape, _PARTS))})$")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_AVERAGE = frozenset({"ema", "average", "averaged", "averaging", "polyak", "shadow", "swa"})
# The weights that the optimiser moves, where they lie beside or inside what keeps the average.
_LAST = frozenset({"collected", "current", "no", "non", "online", "stored", "without"})
COUNTERS = frozenset({"decay", "initted", "n_averaged", "num_updates", "step", "steps", "updates"})
"""What those that average over training count beside the averages."""
_LOSSES = frozenset({"criteria", "criterion", "loss", "losses", "lpips", "perceptual"})
_METRICS = frozenset({"acc", "accuracy", "auroc", "confmat", "fid", "iou", "metric", "metrics", "miou", "psnr", "ssim"})
# thop leaves these in every layer it has counted.
_COUNTED = frozenset({"total_ops", "total_params"})


def without_wrappers(name: str) -> str:
    """``features._orig_mod.0.weight`` as ``features.0.weight``."""
    return _WRAPPER.sub("", name).removesuffix(".")


def canonical(name: str) -> str:
    """The same for all names that one weight has had: without wrappers, and with the parts of a norm as of old."""
    return _PARAMETRIZED.sub(lambda found: found[1] + _PARTS[found[2]], without_wrappers(name))


def words(path: str) -> set[str]:
    """Small words of a path: of ``callbacks.EMACallback.ema_weights`` they are callbacks, ema, callback, weights."""
    return {word.lower() for word in _WORD.findall(path)}


def says_average(path: str) -> bool:
    """Whether a path leads to weights averaged over training; its innermost part that says anything decides."""
    for part in reversed(path.split(".")):
        found = words(part)
        if found & _LAST:
            return False
        if found & _AVERAGE:
            return True
    return False


def is_of_training(name: str) -> bool:
    """Whether a weight is of a loss, a metric or a counter beside the network, which never computes with it."""
    parts = name.split(".")
    if name in COUNTERS or parts[-1] in _COUNTED:
        return True
    return any(words(part) & (_LOSSES | _METRICS) for part in parts)


def listed(names: Sequence[str]) -> str:
    """The first two of several names."""
    return f"{', '.join(names[:2])}{' ...' if len(names) > 2 else ''}"


def left_out(names: Sequence[str]) -> list[str]:
    """The remark on weights that the network does without."""
    return [f"{len(names)} left out that are no weights of the network ({listed(names)})"] if names else []
