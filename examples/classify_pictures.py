"""Load the classifier that ships with edgevision and ask it about the pictures beside this script.

python examples/classify_pictures.py [PICTURE ...]
"""

import sys
from pathlib import Path

import edgevision

pictures = sys.argv[1:] or sorted(str(path) for path in (Path(__file__).parent / "pictures").glob("*.jpg"))

with edgevision.load("classify", device="cpu") as classify:
    for picture, answer in zip(pictures, classify(pictures), strict=True):
        best = ", ".join(f"{label} {probability:.0%}" for label, probability in answer.top(3))
        print(f"{Path(picture).name}: {best}")
