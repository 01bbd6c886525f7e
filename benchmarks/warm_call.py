"""A warm call of ``edgevision.load(...)`` beside preprocessing and ``InferenceSession.run`` written by hand.

    python benchmarks/warm_call.py [MODEL.onnx] [PICTURE] [--rounds 400]

Both start from the same decoded picture and are timed interleaved in one process, each on a session of its own. How
many times as fast the call is comes with its 95 % interval.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import edgevision
from edgevision.runtime.benchmark.timing import InterleavedTimer

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=str(ROOT / "runtime/assets/classify.onnx"))
    parser.add_argument("picture", nargs="?", default=str(ROOT / "examples/pictures/cat.jpg"))
    parser.add_argument("--rounds", type=int, default=400)
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
        timer = InterleavedTimer(
            {"by hand": partial(by_hand, image), "edgevision": lambda image=image: classify(image).label}
        )
        timer.measure(0, fewest=arguments.rounds)
        found = timer.speedup("edgevision", over="by hand")
        print(
            f"{image.width}x{image.height} picture: by hand {1e3 * found.before_ms:.1f} us, edgevision"
            f" {1e3 * found.after_ms:.1f} us, {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f}) times as fast"
        )


if __name__ == "__main__":
    main()
