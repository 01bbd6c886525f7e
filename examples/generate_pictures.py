"""Draw pictures from the generator that ships: a class, all classes in turn, and the way from one to another.

python examples/generate_pictures.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

import edgevision
from edgevision.imaging.contact_sheet import contact_sheet

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    with edgevision.load("generate") as generate:
        print(f"it knows {', '.join(generate.labels)}")
        ships = generate(16, seed=7, label="ship")
        Image.fromarray(contact_sheet(ships)).save(folder / "ships.png")
        print(f"ships.png: {len(ships)} pictures of {ships.shape[2]}x{ships.shape[1]}")

        # The same seed gives the same pictures, in any number, on any engine.
        assert (generate(3, seed=7, label="ship") == ships[:3]).all()

        everything = generate(50, seed=1)
        Image.fromarray(contact_sheet(everything, columns=10)).save(folder / "classes.png")
        print("classes.png: a column for each class")

        between = generate.between((1, 2), 12, label="horse")
        Image.fromarray(contact_sheet(between, columns=12)).save(folder / "between.png")
        print("between.png: from seed 1 to seed 2")
