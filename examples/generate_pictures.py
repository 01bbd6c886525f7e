"""Draw pictures from the generator that ships: a class, all classes in turn, and the way from one to another.

python examples/generate_pictures.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import edgevision

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    with edgevision.load("generate") as generate:
        print(f"it knows {', '.join(generate.labels)}")
        ships = generate(16, seed=7, label="ship")
        ships.save(folder / "ships.png")
        print(f"ships.png: {len(ships)} pictures of {ships.width}x{ships.height}")

        # The same seed gives the same pictures, in any number, on any engine.
        assert np.array_equal(generate(3, seed=7, label="ship"), ships[:3])

        everything = generate(50, seed=1)
        everything.save(folder / "classes.png", columns=10)
        print("classes.png: a column for each class")

        between = generate.between((1, 2), 12, label="horse")
        between.save(folder / "between.png", columns=12)
        print("between.png: from seed 1 to seed 2")
