"""One hostile input of each kind, written into a folder, and the command line that is given it."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import onnx
from fuzzing.mutations import HOSTILE, mutate_bytes, mutate_json, mutate_onnx, mutate_zip
from fuzzing.seeds import TASKS

Attempt = Callable[[Random, Path, Path], list[str]]

_DNCNN = ("--arch", "edgevision.models:DnCnn", "--arch-kwargs", '{"depth": 3, "width": 4}')
_DENOISER = ("--input-shape", "1x1x16x16", "--task", "denoise", "--predicts", "noise")


def _picture(random: Random, seeds: Path, folder: Path) -> list[str]:
    seed = random.choice(sorted((seeds / "picture").iterdir()))
    hostile = folder / seed.name
    hostile.write_bytes(mutate_bytes(seed.read_bytes(), random))
    models, sound = seeds / "onnx", str(seeds / "picture" / "colour.png")
    output = str(folder / random.choice(("out.png", "out.jpg", "out.webp", "out.tif", "out.bmp")))
    return random.choice(
        (
            ["run", "classify", str(hostile), "-m", f"{models}/classify.onnx", "--json"],
            ["run", "classify", str(hostile), sound, "-m", f"{models}/classify.onnx", "--csv"],
            ["run", "denoise", str(hostile), "-m", f"{models}/denoise.onnx", "-o", output],
            ["run", "upscale", str(hostile), "-m", f"{models}/upscale.onnx", "-o", output],
            ["run", "brighten", str(hostile), "-m", f"{models}/brighten.onnx", "-o", output],
            ["run", "inpaint", str(hostile), sound, "-m", f"{models}/inpaint.onnx", "-o", output],
            ["run", "inpaint", sound, str(hostile), "-m", f"{models}/inpaint.onnx", "-o", output],
        )
    )


def _use_model(task: str, model: Path, random: Random, seeds: Path, folder: Path) -> list[str]:
    """What people do with a model."""
    if random.random() < 0.3:
        return ["inspect", str(model), *random.choice(((), ("--json",)))]
    if random.random() < 0.1:
        return ["bench", str(model), "--seconds", "0.05", "--threads", "1", "--json"]
    picture = str(seeds / "picture" / "colour.png")
    output = str(folder / "out.png")
    if task == "classify":
        return ["run", task, picture, "-m", str(model), *random.choice(((), ("--json",), ("--csv",)))]
    if task == "generate":
        return ["run", task, "--count", "2", "-m", str(model), "-o", output]
    masks = [str(seeds / "picture" / "mask.png")] if task == "inpaint" else []
    return ["run", task, picture, *masks, "-m", str(model), "-o", output]


def _metadata(random: Random, seeds: Path, folder: Path) -> list[str]:
    task = random.choice(TASKS)
    model = onnx.load(seeds / "onnx" / f"{task}.onnx")
    document = json.loads(model.metadata_props[0].value)
    for _ in range(random.choice((1, 1, 2))):
        document = mutate_json(document, random) if document else document
    text = json.dumps(document)
    model.metadata_props[0].value = text if random.random() < 0.9 else _damaged_text(text, random)
    hostile = folder / "hostile.onnx"
    onnx.save(model, hostile)
    return _use_model(task, hostile, random, seeds, folder)


def _damaged_text(text: str, random: Random) -> str:
    return mutate_bytes(text.encode(), random).decode("utf-8", "replace")


def _onnx(random: Random, seeds: Path, folder: Path) -> list[str]:
    task = random.choice(TASKS)
    data = (seeds / "onnx" / f"{task}.onnx").read_bytes()
    hostile = folder / "hostile.onnx"
    hostile.write_bytes(random.choice((mutate_bytes, mutate_onnx))(data, random))
    if random.random() < 0.03:
        return ["export", str(hostile), "-o", str(folder / "out.onnx")]
    return _use_model(task, hostile, random, seeds, folder)


def _ir(random: Random, seeds: Path, folder: Path) -> list[str]:
    task = random.choice(("classify", "denoise"))
    hostile = folder / "hostile.xml"
    for suffix in (".xml", ".bin"):
        data = (seeds / "ir" / f"{task}{suffix}").read_bytes()
        changed = suffix == ".xml" or random.random() < 0.2
        hostile.with_suffix(suffix).write_bytes(mutate_bytes(data, random) if changed else data)
    return _use_model(task, hostile, random, seeds, folder)


def _checkpoint(random: Random, seeds: Path, folder: Path) -> list[str]:
    seed = random.choice(sorted((seeds / "checkpoint").iterdir()))
    data = seed.read_bytes()
    hostile = folder / seed.name
    hostile.write_bytes(
        (mutate_zip if data.startswith(b"PK") and random.random() < 0.6 else mutate_bytes)(data, random)
    )
    if random.random() < 0.4:
        return ["inspect", str(hostile), "--json"]
    network = () if seed.name in ("own.pt", "script.pt", "program.pt2") else _DNCNN
    facts = () if seed.name == "own.pt" else _DENOISER
    return ["export", str(hostile), *network, *facts, "-o", str(folder / "out.onnx")]


def _zip(random: Random, seeds: Path, folder: Path) -> list[str]:
    seed = random.choice(sorted((seeds / "zip").iterdir()))
    hostile = folder / "hostile.zip"
    hostile.write_bytes(mutate_zip(seed.read_bytes(), random))
    model = random.choice(("classify", "denoise"))
    return ["evaluate", str(seeds / "onnx" / f"{model}.onnx"), str(hostile), *random.choice(((), ("--json",)))]


def _compare(random: Random, seeds: Path, folder: Path) -> list[str]:
    sound = random.choice(sorted((seeds / "compare").iterdir()))
    hostile = folder / "hostile.json"
    if random.random() < 0.3:
        hostile.write_bytes(mutate_bytes(sound.read_bytes(), random))
    else:
        document = json.loads(sound.read_text())
        for _ in range(random.choice((1, 1, 3))):
            document = mutate_json(document, random) if document else document
        hostile.write_text(json.dumps(document))
    pair = [str(sound), str(hostile)]
    random.shuffle(pair)
    return ["compare", *pair, *random.choice(((), ("--json",), ("--fail-if-slower", "5%")))]


_OPTIONS: dict[str, tuple[str, ...]] = {
    "classify": ("--top", "--threads", "--device", "--model", "--cores"),
    "generate": (
        "--count",
        "--seed",
        "--class",
        "--size",
        "--truncation",
        "--batch",
        "--interpolate",
        "--zoom",
        "--threads",
    ),
    "denoise": ("--tile", "--memory", "--threads", "--quality", "--device", "--batch"),
    "upscale": ("--scale", "--tile", "--memory", "--quality"),
    "inspect": ("--device",),
    "bench": ("--seconds", "--threads", "--batch", "--shape", "--precision", "--warmup", "--device"),
}


def _options(random: Random, seeds: Path, folder: Path) -> list[str]:
    verb = random.choice(sorted(_OPTIONS))
    words = {"bench": ["bench"], "inspect": ["inspect"]}.get(verb, ["run", verb])
    model = str(seeds / "onnx" / ("classify.onnx" if verb in ("bench", "inspect") else f"{verb}.onnx"))
    if verb in ("bench", "inspect"):
        words.append(model)
    else:
        words += [] if verb == "generate" else [str(seeds / "picture" / "colour.png")]
        words += ["-m", model]
    if verb in ("denoise", "upscale", "generate"):
        words += ["-o", str(folder / "out.png")]
    for option in random.sample(_OPTIONS[verb], random.choice((1, 1, 2)) if len(_OPTIONS[verb]) > 1 else 1):
        words += [option, _option_value(random)]
    if verb == "bench" and "--seconds" not in words:
        words += ["--seconds", "0.05"]
    return words


def _option_value(random: Random) -> str:
    numbers = ("0", "-1", "1", "7", "99999999999", "9" * 5000, "1e400", "nan", "inf", "-inf", "0.5", "٣", "0x10", "1_0")
    shapes = ("1x3x16x16", "0x0", "-1x3", "1x1x1x1x1x1", "9999999999x9999999999", "0-99999999999", "3-1", "1:2:3", "5%")
    texts = tuple(
        str(value) for value in HOSTILE if isinstance(value, str) and "\0" not in value and value.isprintable()
    )
    return random.choice(random.choice((numbers, numbers, shapes, texts)))


KINDS: dict[str, Attempt] = {
    "picture": _picture,
    "metadata": _metadata,
    "onnx": _onnx,
    "ir": _ir,
    "checkpoint": _checkpoint,
    "zip": _zip,
    "compare": _compare,
    "options": _options,
}


def attempt(kind: str, number: int, seeds: Path, folder: Path) -> list[str]:
    """Write input ``number`` of ``kind`` into ``folder``, always the same one, and give the command line for it."""
    return KINDS[kind](Random(f"{kind}:{number}"), seeds, folder)
