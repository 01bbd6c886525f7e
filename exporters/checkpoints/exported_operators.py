"""The operators that an exported program may call: those that compute tensors from tensors and touch nothing else.

A ``.pt2`` names operators in text, and PyTorch would look any of them up, ``aten.from_file`` among them, which maps
and overwrites files. Here is what is known to be harmless: the core of ATen by PyTorch's own tag, and the composed
operators that vision networks are exported with.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from edgevision.exporters.checkpoints.tensors import TrustNeededError

_COMPOSED = """
    absolute adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    addcdiv addcmul affine_grid_generator all alpha_dropout arctan argsort _assert_async _assert_scalar
    _assert_tensor_metadata atleast_1d atleast_2d atleast_3d baddbmm batch_norm bilinear broadcast_tensors
    broadcast_to bucketize celu channel_shuffle chunk clamp_max clamp_min clip complex concat concatenate conj
    constant_pad contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    cosine_similarity count_nonzero cross cummax cummin cumprod deg2rad det detach detach_ diag diag_embed diff dist
    divide dot dropout dropout2d dropout3d dstack einsum empty_like erfc erfinv exp2 expand_as eye
    fake_quantize_per_tensor_affine feature_alpha_dropout feature_dropout fft_fft fft_fft2 fft_fftn fft_fftshift
    fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn flatten
    fliplr flipud float_power floor_divide frac frobenius_norm glu greater greater_equal grid_sampler group_norm gru
    hann_window hardshrink hardsigmoid hardswish heaviside hstack huber_loss hypot im2col imag index_add index_copy
    index_fill instance_norm is_nonzero isclose isfinite item kron layer_norm lerp less less_equal lift_fresh_copy
    linalg_cross linalg_det linalg_inv linalg_matrix_norm linalg_norm linalg_vector_norm linear linspace log_sigmoid
    log_softmax logaddexp logit logsumexp lstm masked_fill masked_select matmul max_pool1d max_pool2d max_pool3d
    mean median meshgrid mish moveaxis movedim msort mul multiply mv nan_to_num narrow negative new_empty new_full
    new_ones new_zeros nll_loss norm normalize not_equal numpy_T one_hot ones ones_like outer pad pairwise_distance
    pixel_shuffle pixel_unshuffle polar positive prelu quantile rad2deg ravel real reflection_pad relu6
    repeat_interleave reshape reshape_as resolve_conj resolve_neg rms_norm roll rot90 rsub
    scaled_dot_product_attention searchsorted selu sgn _shape_as_tensor signbit silu sinc size smooth_l1_loss
    softmax softplus softshrink special_expit split square squeeze_copy stack std std_mean stft stride sub subtract
    swapaxes swapdims sym_constrain_range sym_constrain_range_for_size t take take_along_dim tensor_split threshold
    tile to trace transpose tril triu true_divide type_as unbind unflatten unfold unsafe_chunk _unsafe_index
    unsafe_split _unsafe_view upsample_bicubic2d _upsample_bicubic2d_aa _upsample_bilinear2d_aa upsample_linear1d
    upsample_nearest1d upsample_nearest3d _upsample_nearest_exact2d upsample_trilinear3d var_mean vdot view_as
    view_as_complex view_as_real vstack xlogy zero zeros zeros_like
"""
# What writes outside of its operands or changes how long they are.
_HARMLESS = frozenset(_COMPOSED.split())
_NEVER = frozenset(("resize_", "set_", "set", "from_file", "save"))

_LARGEST = 1 << 62


def _bounded(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Arithmetic on sizes: a number that no size can have would only grow on."""

    def run(*numbers: Any) -> Any:
        result = compute(*numbers)
        if type(result) is int and abs(result) > _LARGEST:
            raise ValueError(f"a size of more than {_LARGEST}")
        return result

    return run


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": _bounded(getattr(operator, name))
        for name in ("add", "sub", "mul", "floordiv", "mod", "truediv", "neg", "pos", "abs")
    },
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in ("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_", "getitem")
    },
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.trunc": math.trunc,
    "torch.sym_max": torch.sym_max,
    "torch.sym_min": torch.sym_min,
    "torch.sym_not": torch.sym_not,
    "torch.sym_float": torch.sym_float,
    "torch.sym_int": torch.sym_int,
    "torch.sym_ite": torch.sym_ite,
    "torch.sym_sum": torch.sym_sum,
    # As a number of Python every way of tracing keeps it free; as an operator only one does.
    "torch.ops.aten.sym_size.int": lambda tensor, axis: tensor.shape[axis],
}


def find_operator(target: str) -> Callable[..., Any]:
    """The operator that an exported program names, as ``torch.ops.aten.conv2d.default``.

    Raises:
        TrustNeededError: it is none of those known to be harmless.
    """
    if target in _ARITHMETIC:
        return _ARITHMETIC[target]
    parts = target.split(".")
    if len(parts) == 5 and parts[:3] == ["torch", "ops", "aten"]:
        overload: Callable[..., Any] | None = getattr(getattr(torch.ops.aten, parts[3], None), parts[4], None)
        if isinstance(overload, torch._ops.OpOverload) and _is_harmless(parts[3], overload):
            return overload
    raise TrustNeededError(f"is a program that calls {target!r:.100}, which is not known to be harmless")


def _is_harmless(name: str, overload: torch._ops.OpOverload) -> bool:
    known = name in _HARMLESS or name.removesuffix("_") in _HARMLESS or _is_core(name.removesuffix("_"))
    # An overload of a known operator that writes into an argument of its own is not what networks are exported with.
    writes = any(argument.is_out for argument in overload._schema.arguments)
    return known and name not in _NEVER and not writes


def _is_core(name: str) -> bool:
    packet = getattr(torch.ops.aten, name, None)
    return packet is not None and any(
        torch.Tag.core in getattr(packet, overload).tags for overload in packet.overloads()
    )
