"""What generators make their pictures from: the one documented sampler, the same on every engine and machine."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.samples import SAMPLES_AT_ONCE

Latents = NDArray[np.float32]
"""float32 (N, size), or (N, size, h, w) for a map."""

LEAST_TRUNCATION = 0.01


def draw_latents(
    spec: LatentSpec,
    count: int,
    *,
    seed: int,
    first: int = 0,
    sides: tuple[int, int] | None = None,
    truncation: float | None = None,
) -> Latents:
    """The latents of the samples ``first`` to ``first + count`` of ``seed``.

    Sample ``i`` comes from ``numpy.random.default_rng((seed, i))`` alone, so that it is the same in any batch.

    Args:
        sides: (h, w) of a map, for a spec with ``pixels``.
        truncation: numbers further from zero are drawn again (Brock et al. 2019): fewer surprises, less variety. At
            least 0.01.
    """
    shape = (spec.size, *sides) if sides is not None else (spec.size,)
    return np.stack([_draw(spec, shape, (seed, first + i), truncation) for i in range(count)])


def latent_samples(
    spec: GenerationSpec, shape: tuple[int, ...], count: int, seed: int
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """The latents of the samples 0 to ``count`` of ``seed``, of ``shape`` (size,) or (size, h, w), in batches.

    For a conditional generator with the class of each, in turn, as a row of zeros and a one.
    """
    assert spec.latent is not None
    sides = (shape[1], shape[2]) if len(shape) == 3 else None
    classes = np.eye(len(spec.labels), dtype=np.float32)
    for start in range(0, count, SAMPLES_AT_ONCE):
        size = min(SAMPLES_AT_ONCE, count - start)
        latents = draw_latents(spec.latent, size, seed=seed, first=start, sides=sides)
        chosen = (classes[np.arange(start, start + size) % len(classes)],) if spec.labels else ()
        yield latents, *chosen


def interpolate(start: Latents, end: Latents, count: int) -> Latents:
    """``count`` latents from ``start`` to ``end``, each (size, ...), on the arc between them (White 2016).

    On the straight line they would be shorter than any that the generator was trained on.
    """
    a, b = start.ravel().astype(np.float64), end.ravel().astype(np.float64)
    cosine = np.clip(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12), -1, 1)
    angle = np.arccos(cosine)
    place = np.linspace(0, 1, count)[:, None]
    if np.sin(angle) < 1e-6:
        path = (1 - place) * a + place * b
    else:
        path = (np.sin((1 - place) * angle) * a + np.sin(place * angle) * b) / np.sin(angle)
    return path.astype(np.float32).reshape(count, *start.shape)


def _draw(spec: LatentSpec, shape: tuple[int, ...], seed: tuple[int, int], truncation: float | None) -> Latents:
    generator = np.random.default_rng(seed)
    if spec.distribution == "uniform":
        reach = min(1.0, truncation or 1.0)
        return generator.uniform(-reach, reach, shape).astype(np.float32)
    values = generator.standard_normal(shape, np.float32)
    if truncation is not None:
        while (outside := np.abs(values) > truncation).any():
            values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
    return values
