"""NaN and Inf among a model's outputs: a picture of them would be black, and a label any."""

from typing import Any

import numpy as np

from edgevision.core.errors import NotFiniteError
from edgevision.runtime.engines.engine import Array, Engine


def require_finite(output: Array, engine: Engine) -> Any:
    """What ``engine`` gave; :class:`NotFiniteError` where it has NaN or Inf (16-bit floats end at 65504)."""
    if np.isfinite(output).all():
        return output
    raise NotFiniteError(
        f"{int((~np.isfinite(output)).sum())} of {output.size} values that the model gave are not finite"
        f" ({engine.name} on {engine.device}); see with `edgevision verify` whether the file is to blame, and try a"
        " float32 export or another --device"
    )
