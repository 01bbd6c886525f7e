import dataclasses

import pytest
import torch

from edgevision.core.errors import DeviceError
from edgevision.core.machine import Machine
from edgevision.training.settings import MixedPrecision
from edgevision.training.trainer import lightning_precision


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (("avx2", "fma"), "32-true"),
        (("avx2", "avx512f", "avx512_vnni"), "32-true"),
        (("avx2", "avx512f", "avx512_bf16"), "bf16-mixed"),
        (("avx2", "avx512f", "avx512_bf16", "amx_bf16"), "bf16-mixed"),
        # Not measured there.
        (("asimd", "bf16"), "32-true"),
    ],
)
def test_a_cpu_trains_in_what_is_fastest_on_it(
    monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...], expected: str
) -> None:
    machine = dataclasses.replace(Machine.this(), features=features)
    monkeypatch.setattr(Machine, "this", classmethod(lambda cls: machine))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lightning_precision(MixedPrecision.AUTO).precision == expected
    assert lightning_precision(MixedPrecision.FP32).precision == "32-true"
    assert lightning_precision(MixedPrecision.BF16).precision == "bf16-mixed"
    with pytest.raises(DeviceError, match="needs a GPU"):
        lightning_precision(MixedPrecision.FP16)


def test_figures_are_of_float32_in_which_the_model_will_run() -> None:
    plugin = lightning_precision(MixedPrecision.BF16)
    layer, picture = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    with plugin.train_step_context():
        assert layer(picture).dtype is torch.bfloat16
    with plugin.val_step_context():
        assert layer(picture).dtype is torch.float32
