"""What a user would write without edgevision: the same detector, the same picture, the same boxes.

    python benchmarks/bare_detect.py version-slim-320.onnx PICTURE

Prints how many faces there are; it knows by heart how Ultra-Light-Fast's networks want their pictures and what their
outputs are.
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

model, picture = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
image = Image.open(picture).convert("RGB")
tensor = (np.asarray(image.resize((320, 240), Image.Resampling.BILINEAR), np.float32) - 127) / 128
scores, boxes = session.run(None, {session.get_inputs()[0].name: tensor.transpose(2, 0, 1)[None]})
likely = scores[0, :, 1] >= 0.25
boxes, scores = boxes[0, likely] * np.tile(image.size, 2), scores[0, likely, 1]
areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
order = np.argsort(-scores)
faces = []
while len(order):
    best, order = order[0], order[1:]
    faces.append([*boxes[best].tolist(), float(scores[best])])
    low, high = np.maximum(boxes[best, :2], boxes[order, :2]), np.minimum(boxes[best, 2:], boxes[order, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    order = order[shared <= 0.45 * (areas[best] + areas[order] - shared)]
for face in faces:
    print(*(round(value, 3) for value in face))
