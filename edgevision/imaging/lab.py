"""CIE Lab of sRGB: lightness apart from colour (CIE 15:2004, equations 8.3 to 8.8; sRGB: IEC 61966-2-1; white D65)."""

import numpy as np

from edgevision.imaging.samples import Array

_TO_XYZ = np.array(
    [[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]], np.float32
)
_WHITE = _TO_XYZ.sum(axis=1)
_TO_WHITE = (_TO_XYZ / _WHITE[:, None]).astype(np.float32)
_FROM_WHITE = np.linalg.inv(_TO_WHITE.astype(np.float64)).astype(np.float32)

_KNEE = np.float32(6 / 29)
"""Below its cube the cube root is continued as a straight line."""

# So many steps that a line between two of them is right to a thousandth of a step of 8 bits, but for the darkest.
_CURVE_STEPS = 1 << 14
_LINEAR = np.linspace(0, 1, _CURVE_STEPS + 1, dtype=np.float32)
_ENCODED = np.where(_LINEAR <= 0.0031308, 12.92 * _LINEAR, 1.055 * _LINEAR ** (1 / 2.4) - 0.055).astype(np.float32)


def to_lab(rgb: Array) -> Array:
    """L in 0..100 and a, b (about -110..110), float32 (H, W, 3), of RGB in 0..1."""
    relative = _cube_root(_linear(rgb) @ _TO_WHITE.T)
    x, y, z = (relative[..., channel] for channel in range(3))
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32, copy=False)


def lightness_of(gray: Array) -> Array:
    """L in 0..100, float32, of gray samples in 0..1, of any shape."""
    lightness: Array = 116 * _cube_root(_linear(gray)) - 16
    return lightness


def from_lab(lightness: Array, ab: Array) -> Array:
    """RGB in 0..1, float32 (H, W, 3), of L (H, W) in 0..100 and a, b (H, W, 2); what sRGB does not have is clipped."""
    y = (lightness + 16) / np.float32(116)
    roots = np.stack([y + ab[..., 0] / np.float32(500), y, y - ab[..., 1] / np.float32(200)], axis=-1)
    relative = np.where(roots > _KNEE, roots**3, (roots - np.float32(4 / 29)) * (3 * _KNEE**2))
    linear = (relative @ _FROM_WHITE.T).clip(0, 1)
    encoded: Array = np.interp(linear, _LINEAR, _ENCODED).astype(np.float32)
    return encoded


def _linear(encoded: Array) -> Array:
    """The light that sRGB samples stand for."""
    bent = ((encoded + np.float32(0.055)) / np.float32(1.055)).clip(0) ** np.float32(2.4)
    return np.where(encoded <= 0.04045, encoded / np.float32(12.92), bent).astype(np.float32, copy=False)


def _cube_root(relative: Array) -> Array:
    line = relative / (3 * _KNEE**2) + np.float32(4 / 29)
    return np.where(relative > _KNEE**3, np.cbrt(relative.clip(0)), line).astype(np.float32, copy=False)
