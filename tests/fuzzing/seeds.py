"""Sound files of every kind the command line reads: what the mutations start from."""

import io
import json
import lzma
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.models import DnCnn, build_model
from edgevision.training.checkpoint import save_checkpoint

SIDE = 24
"""Of the pictures."""

TASKS = ("classify", "denoise", "inpaint", "upscale", "brighten", "generate")


def write_seeds(folder: Path) -> None:
    """Fill ``folder`` with a folder for each kind: picture, onnx, ir, checkpoint, zip, compare."""
    for kind in ("picture", "onnx", "ir", "checkpoint", "zip", "compare"):
        (folder / kind).mkdir(parents=True)
    _write_pictures(folder / "picture")
    for task in TASKS:
        model, document = tiny_model(task)
        add_metadata(model, METADATA_KEY, json.dumps(document))
        onnx.save(model, folder / "onnx" / f"{task}.onnx")
    for task in ("classify", "denoise"):
        model, document = tiny_model(task)
        metadata = ModelMetadata.from_json(json.dumps(document))
        write_openvino(model, folder / "ir" / f"{task}.xml", metadata, half=False)
    _write_checkpoints(folder / "checkpoint")
    _write_zips(folder / "zip")


def tiny_model(task: str) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A model of a few weights for ``task``, and the document it is to carry."""
    document: dict[str, Any] = {"schema_version": 1, "task": task, "name": "tiny", "image": {"color": "rgb"}}
    if task == "classify":
        document["image"] |= {"size": [16, 16], "mean": [0.5] * 3, "std": [0.2] * 3}
        document["labels"] = ["ant", "bee", "cat", "dog"]
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["c"], ["p"]),
            helper.make_node("Flatten", ["p"], ["y"]),
        ]
        return _model(document, nodes, {"x": ["n", 3, 16, 16]}, ["n", 4], {"w": _weights(4, 3, 3, 3)})
    if task == "generate":
        document["image"] |= {"size": [8, 8], "value_range": [-1, 1]}
        document["latent"] = {"size": 8}
        nodes = [
            helper.make_node("Unsqueeze", ["z", "axes"], ["z4"]),
            helper.make_node("ConvTranspose", ["z4", "w"], ["c"]),
            helper.make_node("Tanh", ["c"], ["y"]),
        ]
        weights = {"w": _weights(8, 3, 8, 8), "axes": np.array([2, 3], np.int64)}
        return _model(document, nodes, {"z": ["n", 8]}, ["n", 3, 8, 8], weights)
    document["tile"] = {"size": 64, "multiple": 1, "overlap": 4, "memory": 400}
    scale = 2 if task == "upscale" else 1
    document["restoration"] = {"predicts": "image", "scale": scale}
    shape = ["n", 3, "h", "w"]
    if task == "upscale":
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=2),
        ]
        return _model(document, nodes, {"x": shape}, ["n", 3, "h2", "w2"], {"w": _weights(12, 3, 3, 3)})
    if task == "inpaint":
        nodes = [
            helper.make_node("Concat", ["x", "m"], ["xm"], axis=1),
            helper.make_node("Conv", ["xm", "w"], ["y"], pads=[1, 1, 1, 1]),
        ]
        inputs = {"x": shape, "m": ["n", 1, "h", "w"]}
        return _model(document, nodes, inputs, shape, {"w": _weights(3, 4, 3, 3)})
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    return _model(document, nodes, {"x": shape}, shape, {"w": _weights(3, 3, 3, 3)})


def _model(
    document: dict[str, Any],
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, list[Any]],
    output: list[Any],
    weights: Mapping[str, np.ndarray],
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    document["inputs"] = [{"name": name, "shape": shape} for name, shape in inputs.items()]
    document["outputs"] = [{"name": "y", "shape": output}]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), document


def _weights(*shape: int) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(shape) * 0.1).astype(np.float32)


def _write_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    colour = Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    gray = colour.convert("L")
    clear = colour.copy()
    clear.putalpha(gray)
    deep = Image.fromarray(random.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "camera", 6
    frames = [colour, colour.rotate(90)]
    colour.save(folder / "mask.png")
    colour.save(folder / "colour.png", exif=exif, dpi=(72, 72))
    clear.save(folder / "alpha.png")
    gray.save(folder / "gray.png")
    deep.save(folder / "deep.png")
    colour.quantize(16).save(folder / "palette.png", transparency=3)
    colour.save(folder / "colour.jpg", exif=exif, comment=b"hello")
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.save(folder / "progressive.jpg", progressive=True, subsampling=2)
    colour.save(folder / "colour.webp", lossless=True)
    frames[0].save(folder / "frames.webp", save_all=True, append_images=frames[1:])
    colour.save(folder / "colour.bmp")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
        colour.save(folder / f"{compression}.tif", compression=compression, tiffinfo={270: "a picture"})
    deep.save(folder / "deep.tif")
    colour.convert("CMYK").save(folder / "cmyk.tif")
    colour.convert("1").save(folder / "fax.tif", compression="group4")
    frames[0].save(folder / "pages.tif", save_all=True, append_images=frames[1:])


def _write_checkpoints(folder: Path) -> None:
    torch.manual_seed(0)
    metadata = ModelMetadata.from_json(json.dumps(tiny_model("classify")[1]))
    options = {"num_classes": 4, "image_size": 16}
    save_checkpoint(folder / "own.pt", build_model("cnn2", **options), metadata, model="cnn2", options=options)
    state = DnCnn(depth=3, width=4).state_dict()
    torch.save(state, folder / "bare.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, folder / "nested.pth")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "bare.safetensors")
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1)).eval()
    torch.jit.script(network).save(str(folder / "script.pt"))
    torch.export.save(torch.export.export(network, (torch.zeros(1, 1, 8, 8),)), folder / "program.pt2")


def _write_zips(folder: Path) -> None:
    random = np.random.default_rng(0)
    for name, compression in (
        ("stored", zipfile.ZIP_STORED),
        ("deflated", zipfile.ZIP_DEFLATED),
        ("lzma", zipfile.ZIP_LZMA),
        ("bzip2", zipfile.ZIP_BZIP2),
    ):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", compression) as archive:
            for label in ("ant", "bee"):
                for number in range(2):
                    encoded = io.BytesIO()
                    Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(encoded, "PNG")
                    archive.writestr(f"test/{label}/{number}.png", encoded.getvalue())
    (folder / "no_zip.zip").write_bytes(lzma.compress(b"not a zip at all"))
