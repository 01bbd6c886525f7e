"""A detector and a segmenter of bright squares, and pictures of them with VOC's boxes, or with masks."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

HEIGHT, WIDTH, SIDE, STRIDE = 64, 96, 12, 4


def write_detector(path: Path) -> Path:
    """CenterNet's outputs: how bright a square round each cell is, its size and its offset."""
    rows, columns = HEIGHT // STRIDE, WIDTH // STRIDE
    pad = (SIDE - STRIDE) // 2

    def constant(name, values):
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    kernel = np.full((1, 3, SIDE, SIDE), 1 / (3 * SIDE * SIDE), np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["hm"], strides=[STRIDE] * 2, pads=[pad] * 4),
        helper.make_node("Mul", ["hm", "zeros"], ["none"]),
        helper.make_node("Add", ["none", "cells"], ["wh"]),
        helper.make_node("Add", ["none", "half"], ["reg"]),
    ]
    both = (1, 2, rows, columns)
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, HEIGHT, WIDTH))],
        [
            helper.make_tensor_value_info("hm", TensorProto.FLOAT, (1, 1, rows, columns)),
            helper.make_tensor_value_info("wh", TensorProto.FLOAT, both),
            helper.make_tensor_value_info("reg", TensorProto.FLOAT, both),
        ],
        [
            constant("kernel", kernel),
            constant("zeros", np.zeros((1, 2, 1, 1))),
            constant("cells", np.full((1, 2, 1, 1), SIDE / STRIDE)),
            constant("half", np.full((1, 2, 1, 1), 0.5)),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def write_segmenter(path: Path) -> Path:
    """A logit that is positive where the picture is bright, at half the sides."""
    weights = numpy_helper.from_array(np.full((1, 3, 2, 2), 40 / 12, np.float32), "weights")
    bias = numpy_helper.from_array(np.array([-24], np.float32), "bias")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["logit"], strides=[2, 2])],
        "parts",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("n", 3, HEIGHT, WIDTH))],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ("n", 1, HEIGHT // 2, WIDTH // 2))],
        [weights, bias],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def write_boxed_segmenter(path: Path) -> Path:
    """YOLOv8-seg's outputs: a row for each cell of three strides, and one prototype, positive where it is bright.

    Only cells of the first stride see anything: how bright they are. Their boxes lie round a square that begins there.
    """
    rows, columns = HEIGHT // 8, WIDTH // 8
    more = HEIGHT * WIDTH // 16**2 + HEIGHT * WIDTH // 32**2
    y, x = np.mgrid[:rows, :columns] * 8 + SIDE / 2
    boxes = np.stack([x.ravel(), y.ravel(), *np.full((2, rows * columns), SIDE + 4)])
    boxes = np.pad(boxes, ((0, 0), (0, more)), constant_values=1)
    constants = {
        "mean": np.full((1, 3, 8, 8), 1 / 192),
        "weights": np.full((1, 3, 4, 4), 40 / 48),
        "bias": np.array([-24]),
        "nothing": np.zeros((1, 1, more)),
        "boxes": boxes[None],
        "coefficients": np.ones((1, 1, rows * columns + more)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "mean"], ["cells"], strides=[8, 8]),
        helper.make_node("Reshape", ["cells", "flat"], ["seen"]),
        helper.make_node("Concat", ["seen", "nothing"], ["scores"], axis=2),
        helper.make_node("Concat", ["boxes", "scores", "coefficients"], ["output0"], axis=1),
        helper.make_node("Conv", ["image", "weights", "bias"], ["output1"], strides=[4, 4]),
    ]
    graph = helper.make_graph(
        nodes,
        "boxed",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, HEIGHT, WIDTH))],
        [
            helper.make_tensor_value_info("output0", TensorProto.FLOAT, (1, 6, rows * columns + more)),
            helper.make_tensor_value_info("output1", TensorProto.FLOAT, (1, 1, HEIGHT // 4, WIDTH // 4)),
        ],
        [
            *(numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()),
            numpy_helper.from_array(np.array([1, 1, -1]), "flat"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def write_pictures(folder: Path, count: int = 12, seed: int = 0, *, masks: Path | None = None) -> Path:
    """``count`` pictures ``NN.png`` with one to three squares each, and ``NN.xml`` beside them.

    The squares' numbers go to the folder ``masks`` in PNG of 16 bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        pixels = generator.integers(0, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        places = [(x, y) for x in (8, 40, 72) for y in (8, 40)]
        chosen = generator.permutation(len(places))[: int(generator.integers(1, 4))]
        things = []
        ids = np.zeros((HEIGHT, WIDTH), np.uint16)
        for index in chosen:
            x, y = places[int(index)]
            pixels[y : y + SIDE, x : x + SIDE] = 250
            ids[y : y + SIDE, x : x + SIDE] = len(things) + 1
            box = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + SIDE}</xmax><ymax>{y + SIDE}</ymax>"
            things.append(f"<object><name>square</name><bndbox>{box}</bndbox></object>")
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.xml").write_text(f"<annotation>{''.join(things)}</annotation>")
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            Image.fromarray(ids).save(masks / f"{number:02d}.png")
    return folder
