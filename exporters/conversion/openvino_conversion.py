"""OpenVINO IR from an ONNX model."""

import errno
import logging
import os
from pathlib import Path

import onnx

from edgevision.core.errors import InputError
from edgevision.exporters.passes.channel_scales import CHANNEL_SCALES_KEY, channel_scales
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.runtime.engines.openvino_engine import import_openvino

_XML_BYTES = 1 << 20


def write_openvino(model: onnx.ModelProto, path: Path, metadata: ModelMetadata | None, *, half: bool) -> None:
    """Write ``path`` (``.xml``) and its ``.bin``, the metadata in ``rt_info``; ``half`` stores the weights as fp16.

    Raises:
        InputError: OpenVINO has no operation for something in the model.
        OSError: the files cannot be written whole.
    """
    openvino = import_openvino()
    # A model of the same name may stand beside it.
    source = path.with_name(f".{path.stem}.source.onnx")
    source.write_bytes(content := model.SerializeToString())
    # Converting sets the level of everybody's log, that of whoever calls this included.
    level = logging.root.level
    try:
        converted = openvino.convert_model(source)
    except Exception as error:  # the frontends raise classes of their own
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(f"OpenVINO cannot convert this model: {reason[-1] if reason else error}") from error
    finally:
        logging.root.setLevel(level)
        source.unlink()
    if metadata is not None:
        converted.set_rt_info(metadata.to_json(), [METADATA_KEY])
    scales = channel_scales(model)
    if scales is not None:
        converted.set_rt_info(scales, [CHANNEL_SCALES_KEY])
    try:
        openvino.save_model(converted, path, compress_to_fp16=half)
    except RuntimeError as error:
        raise _write_error(path, len(content), error) from error


def _write_error(path: Path, size: int, error: RuntimeError) -> OSError:
    """OpenVINO reports every failed write alike; writing as much again makes the system say which it was."""
    probe = path.with_suffix(".probe")
    try:
        with probe.open("wb") as file:
            # The .xml comes on top of the weights.
            for _ in range(0, size + _XML_BYTES, _XML_BYTES):
                file.write(bytes(_XML_BYTES))
    except OSError as reason:
        return reason
    finally:
        probe.unlink(missing_ok=True)
    return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({error})", str(path))
