"""In which engine and with which settings a model was measured to be fastest, as its file says."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from edgevision.core.records import Record, record

ENGINE_TITLES: Mapping[str, str] = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ai_edge_litert": "LiteRT",
    "ncnn": "NCNN",
    "rknnlite": "RKNN",
}
"""Engines by the name that files and commands have for them, and what people call them."""


class InferencePrecision(StrEnum):
    """What an engine computes in whatever is not int8; the file's own numbers stay what they are."""

    FP32 = "fp32"
    BF16 = "bf16"
    """Products of bfloat16, added up in float32."""
    FP16 = "fp16"

    def behind(self, engine: str) -> str:
        """The ``engine`` and this, as in ``OpenVINO bf16``; float32 goes without saying."""
        return engine if self is InferencePrecision.FP32 else f"{engine} {self}"


# By engine and precision the features, as in Machine.features, any of which it takes: emulated it would be slower than
# float32. ONNX Runtime has kernels for bfloat16 on Arm only. With AVX512_FP16 float16 was slower than float32 in all of
# eleven networks (0.2 to 0.6 times as fast), and int8 beside it lost up to 3.4 dB.
_NATIVE: Mapping[tuple[str, InferencePrecision], frozenset[str]] = {
    ("onnxruntime", InferencePrecision.BF16): frozenset({"bf16"}),
    ("openvino", InferencePrecision.BF16): frozenset({"avx512_bf16", "amx_bf16"}),
    ("openvino", InferencePrecision.FP16): frozenset({"amx_fp16", "asimdhp"}),
}


def native_precisions(engine: str, features: Iterable[str]) -> tuple[InferencePrecision, ...]:
    """What an engine computes in by itself on a CPU of these ``features``, float32 first."""
    found = [one for one in InferencePrecision if not _NATIVE.get((engine, one), frozenset()).isdisjoint(features)]
    return (InferencePrecision.FP32, *found)


@record
class MeasuredEngine(Record):
    """What a model was judged and measured in before it was written; in another engine it computes the same, slower.

    ``engine`` is a key of :data:`ENGINE_TITLES`. ``speedup`` says how many times as fast it is there as in the other
    engine that was measured, if one was. ``features`` are those of the CPU, as in :class:`Machine`, which ``processor``
    names; ``threads`` is ``None`` for all cores.
    """

    engine: str
    inference_precision: InferencePrecision = InferencePrecision.FP32
    speedup: float | None = None
    processor: str
    features: tuple[str, ...] = ()
    threads: int | None = None

    @property
    def title(self) -> str:
        """As in ``OpenVINO bf16``."""
        return self.inference_precision.behind(ENGINE_TITLES.get(self.engine, self.engine))

    def __str__(self) -> str:
        times = "" if self.speedup is None else f", {self.speedup:.2f} times as fast as in the other engine"
        threads = "all threads" if self.threads is None else f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.title}{times}; {self.processor}, {threads}"
