"""A warm call of ``edgevision.load(...)`` beside preprocessing and ``InferenceSession.run`` written by hand.

    python benchmarks/warm_call.py [MODEL.onnx] [PICTURE] [--calls 2000]

Both start from the same decoded picture and take turns call by call in one process, each on a session of its own.
The ratio is of medians, with a 95 % bootstrap interval.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import edgevision

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=str(ROOT / "runtime/assets/classify.onnx"))
    parser.add_argument("picture", nargs="?", default=str(ROOT / "examples/pictures/cat.jpg"))
    parser.add_argument("--calls", type=int, default=2000)
    arguments = parser.parse_args()

    classify = edgevision.load(arguments.model)
    spec = classify.metadata.image
    assert spec is not None
    assert spec.size is not None
    height, width = spec.size
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])

    def by_hand(image: Image.Image) -> int:
        # The same crop as the model's metadata asks for: the shorter side scaled, the middle cut out.
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        small = image.resize((width, height), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
        tensor = (np.asarray(small, np.float32) / 255 - mean) / std
        scores = session.run(None, {"image": np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])})[0]
        return int(scores.argmax())

    with Image.open(arguments.picture) as opened:
        picture = opened.convert("RGB")
    for image in (picture, picture.resize((width, height))):
        assert classify(image).label == classify.labels[by_hand(image)]
        samples = np.empty((2, arguments.calls))
        programs = (lambda image=image: by_hand(image), lambda image=image: classify(image).label)
        for call in range(-100, arguments.calls):
            # Which goes first alternates: the second finds warmer caches.
            for index in (0, 1) if call % 2 else (1, 0):
                start = time.perf_counter_ns()
                programs[index]()
                if call >= 0:
                    samples[index, call] = (time.perf_counter_ns() - start) / 1e3
        picks = np.random.default_rng(0).integers(0, arguments.calls, (1000, arguments.calls))
        ratios = np.median(samples[1][picks], axis=1) / np.median(samples[0][picks], axis=1)
        medians = np.median(samples, axis=1)
        low, high = np.percentile(ratios, (2.5, 97.5))
        print(
            f"{image.width}x{image.height} picture: by hand {medians[0]:.1f} us, edgevision {medians[1]:.1f} us,"
            f" ratio {medians[1] / medians[0]:.3f} ({low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
