"""What a user would write without edgevision: the same model, the same picture, the same answer.

    python benchmarks/bare_classify.py MODEL.onnx PICTURE

Prints the most probable class's index; it knows the model's size and normalisation by heart.
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

model, picture = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
image = Image.open(picture).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
tensor = np.asarray(image, np.float32) / 255
tensor = (tensor - np.array([0.49, 0.48, 0.45], np.float32)) / np.array([0.25, 0.24, 0.26], np.float32)
scores = session.run(None, {"image": tensor.transpose(2, 0, 1)[None]})[0]
print(int(scores.argmax()))
