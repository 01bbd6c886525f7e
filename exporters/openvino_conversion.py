"""OpenVINO IR from an ONNX model."""

import errno
import os
from pathlib import Path

import onnx

from edgevision.errors import InputError
from edgevision.metadata import METADATA_KEY, ModelMetadata
from edgevision.runtime.engines.openvino_engine import import_openvino


def write_openvino(model: onnx.ModelProto, path: Path, metadata: ModelMetadata, *, half: bool) -> None:
    """Write ``path`` (``.xml``) and its ``.bin``, the metadata in ``rt_info``; ``half`` stores the weights as fp16.

    Raises:
        InputError: OpenVINO has no operation for something in the model.
        OSError: the files cannot be written whole.
    """
    openvino = import_openvino()
    source = path.with_suffix(".onnx")
    source.write_bytes(model.SerializeToString())
    try:
        converted = openvino.convert_model(source)
    except Exception as error:  # the frontends raise classes of their own
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(f"OpenVINO cannot convert this model: {reason[-1] if reason else error}") from error
    finally:
        source.unlink()
    converted.set_rt_info(metadata.to_json(), [METADATA_KEY])
    try:
        openvino.save_model(converted, path, compress_to_fp16=half)
    except RuntimeError as error:
        raise _write_error(path, error) from error


def _write_error(path: Path, error: RuntimeError) -> OSError:
    """OpenVINO reports every failed write alike; what the system has left tells which it was."""
    free = os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_frsize
    number = errno.ENOSPC if free < 1 << 20 else errno.EIO
    return OSError(number, f"{os.strerror(number)} ({error})", str(path))
