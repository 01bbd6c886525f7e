"""Recipes: what they may say, what is built again and what is not, what the lock finds, and gates."""

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
from small_models import model_of

from edgevision.core.errors import InputError
from edgevision.exporters.recipes import build as building
from edgevision.exporters.recipes.recipe import BUILT_IN_DATA, Step, read_recipe
from edgevision.exporters.recipes.schema import TRAININGS, options
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.shipped_models import resolve_model, shipped_names
from edgevision.training.settings.training import DIGITS, MOVING_DIGITS

EXAMPLES = Path(__file__).parents[3] / "examples/recipes"

PLAIN = """
checkpoint = "net.pt"

[export]
data = "photos"

[evaluate]
data = "photos"

[gates]
min_top1 = 85
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "net.pt").write_bytes(b"weights")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_bytes(b"picture")
    path = tmp_path / "mine.toml"
    path.write_text(PLAIN)
    return path


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """The names of the steps that were run, each by something that writes what it should."""
    names: list[str] = []

    def run(step: Step) -> dict:
        names.append(step.name)
        for path in step.outputs:
            model = model_of([onnx.helper.make_node("Relu", ["x"], ["y"])])
            entry = model.metadata_props.add()
            entry.key, entry.value = "made", f"run {len(names)}"
            onnx.save(model, path)
        return {"top1": 90.0, "images": 3} if step.name == "evaluate" else {"metadata": {"quality": {"val_f1": 80.0}}}

    monkeypatch.setattr(building, "_run", run)
    return names


def test_every_training_that_there_is_can_be_in_a_recipe() -> None:
    from edgevision.cli.app import VERBS

    trainings = VERBS["train"]
    assert {name: verb.target for name, verb in trainings.verbs.items()} == TRAININGS
    assert {"int8", "calibration", "max_drop", "data"} <= set(options("export"))
    assert {"data", "corruptions"} <= set(options("evaluate"))
    assert {"model", "epochs", "augment", "private"} <= set(options("train classify"))
    assert not {"output", "force", "json", "quiet", "help"} & {*options("export"), *options("bench")}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_ship_are_commands(path: Path, edgevision) -> None:
    code, out, err = edgevision("build", path, "--dry-run")
    assert code == 0
    assert all(line.startswith("note: [") and line.endswith("which is not there") for line in err.splitlines())
    assert all(line.startswith("edgevision ") for line in out.splitlines())
    assert out.splitlines()[0].startswith("edgevision train ")


def test_the_kinds_of_a_verb_are_said_behind_it(edgevision, tmp_path) -> None:
    path = tmp_path / "night.toml"
    path.write_text('[train]\nkind = "restore brighten"\ndata = "photos"\n')
    code, out, _ = edgevision("build", path, "--dry-run")
    assert code == 0
    assert out.splitlines()[0].endswith("--data=photos --kind=brighten")


def test_a_dry_run_says_which_data_is_missing(edgevision, tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[train]\ndata = 'digits'\n[export]\ncalibration = 'there'\n[evaluate]\ndata = 'photos.zip'\n")
    (tmp_path / "there").mkdir()
    code, out, err = edgevision("build", path, "--dry-run")
    assert (code, len(out.splitlines())) == (0, 3)
    assert set(BUILT_IN_DATA) == {DIGITS, MOVING_DIGITS}
    assert err == "note: [evaluate] names 'photos.zip', which is not there\n"


def test_every_model_that_ships_has_a_recipe() -> None:
    trained = {tomllib.loads(path.read_text())["train"].get("kind", "classify") for path in EXAMPLES.glob("*.toml")}
    verbs = {"generate": "gan", "decompress": "compress", "features": "classify"}
    for name in shipped_names():
        task = require_metadata(resolve_model(name)).task
        kind = verbs.get(task, task)
        assert {kind, f"restore {kind}"} & trained, name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nepoch = 3", "[train.classify] has no key 'epoch'; did you mean 'epochs'?"),
        ("[trian]\nepochs = 3", "the recipe has no key 'trian'; did you mean 'train'?"),
        ("[train]\nkind = 'paint'", "kind is one of classify"),
        ("name = 'x'", "begins with a [train] table or with checkpoint"),
        ("checkpoint = 'none.pt'", "does not exist"),
        ("[train]\nepochs = [1, 2]", "takes 'epochs' once"),
        ("[train]\n[export]\nint8 = 'yes'", "'int8' is true or false"),
        ("[train]\n[export]\ntarget = true", "'target' is no true or false"),
        ("[train]\nepochs = {a = 1}", "is text, a number"),
        ("[train]\n[gates]\ntop1 = 85", "a gate is min_FIGURE"),
        ("train = 3", "'train' is a table"),
        ("name = '../up'\n[train]", "is that of a file"),
        ("= 3", "is no TOML"),
    ],
)
def test_what_a_recipe_cannot_say_is_refused(tmp_path, edgevision, text: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    code, out, err = edgevision("build", path, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_step_is_built_once_for_the_same_content(recipe, ran, edgevision, tmp_path) -> None:
    line = ("build", recipe, "-o", tmp_path / "out", "--json")
    code, out, err = edgevision(*line)
    assert (code, err, ran) == (0, "", ["export", "evaluate"])
    assert not any(step["reused"] for step in json.loads(out)["steps"].values())
    assert all(step["reused"] for step in json.loads(edgevision(*line)[1])["steps"].values())
    assert ran == ["export", "evaluate"]
    table = edgevision(*line[:-1])[1]
    assert "reused" in table
    assert "built" not in table
    # Only what reads the pictures that changed, and what changed, is built again.
    (tmp_path / "photos/b.png").write_bytes(b"another")
    edgevision(*line)
    assert ran == ["export", "evaluate"] * 2
    recipe.write_text(PLAIN.replace('[evaluate]\ndata = "photos"', '[evaluate]\ndata = "photos"\nseed = 3'))
    edgevision(*line)
    assert ran == ["export", "evaluate"] * 2 + ["evaluate"]
    # What was changed or lost since is made again.
    (tmp_path / "out/mine.onnx").unlink()
    edgevision(*line)
    assert ran == ["export", "evaluate"] * 2 + ["evaluate", "export"]


@pytest.mark.parametrize(
    ("change", "run"),
    [
        ("nothing", []),
        ("checkpoint", ["export"]),  # which gives the same model here
        ("data", ["export", "evaluate"]),
        ("option of the last", ["evaluate"]),
        ("package", ["export", "evaluate", "bench"]),
        ("machine", ["bench"]),
        ("model", ["export"]),
        ("record", ["export"]),
    ],
)
def test_each_thing_that_a_step_depends_on_has_it_built_again(
    recipe, ran, edgevision, tmp_path, monkeypatch, change: str, run: list[str]
) -> None:
    recipe.write_text(PLAIN + "[bench]\n")
    line = ("build", recipe, "-o", tmp_path / "out", "--quiet")
    assert edgevision(*line)[0] == 0
    del ran[:]
    if change == "checkpoint":
        (tmp_path / "net.pt").write_bytes(b"weightz")
    elif change == "data":
        (tmp_path / "photos/a.png").rename(tmp_path / "photos/b.png")
    elif change == "option of the last":
        recipe.write_text(recipe.read_text().replace("[evaluate]\n", "[evaluate]\nseed = 1\n"))
    elif change == "package":
        monkeypatch.setattr(building, "_versions", lambda: {"onnx": "0"})
    elif change == "machine":
        another = SimpleNamespace(processor_and_cores="another")
        monkeypatch.setattr(building, "Machine", SimpleNamespace(this=lambda: another))
    elif change == "model":
        (tmp_path / "out/mine.onnx").write_bytes(b"")
    elif change == "record":
        (tmp_path / "out/steps/export.json").write_text("{")
    assert edgevision(*line)[0] == 0
    assert ran == run


STEP = {"facts": {"version onnx": "1", "command": "export"}, "outputs": {"a.onnx": "00"}, "figures": {"top1": 90.0}}


@pytest.mark.parametrize(
    ("part", "name", "now", "said"),
    [
        ("facts", "version onnx", "2", "export: version onnx is 2, and was 1"),
        ("facts", "command", "export --fp16", "export: command is export --fp16, and was export"),
        ("facts", "input net.pt", "11", "export: input net.pt is 11, and was None"),
        ("outputs", "a.onnx", "01", "export: a.onnx is 01, and was 00; nothing that it depends on differs"),
        ("figures", "top1", 89.0, "export: top1 is 89.0, and was 90.0; nothing that it depends on differs"),
    ],
)
def test_whatever_is_not_as_the_lock_says_is_named(part: str, name: str, now: object, said: str) -> None:
    lock = {"machine": building.Machine.this().processor_and_cores, "steps": {"export": STEP}}
    same = building.BuiltStep(name="export", **STEP)
    assert building.first_difference(lock, [same]) is None
    changed = building.BuiltStep(name="export", **STEP | {part: STEP[part] | {name: now}})
    found = building.first_difference(lock, [changed])
    assert found is not None
    assert found.startswith(said)
    other = building.BuiltStep(name="bench", **STEP)
    assert building.first_difference(lock, [same, other]) == "the lock has no step 'bench'"


def test_a_missed_gate_is_exit_code_1_and_names_the_figure(recipe, ran, edgevision, tmp_path) -> None:
    recipe.write_text(PLAIN.replace("85", "95") + "max_val_f1 = 70\n")
    code, out, err = edgevision("build", recipe, "-o", tmp_path / "out")
    assert code == 1
    assert "top1 is 90, and has to be at least 95; val_f1 is 80, and has to be at most 70" in err
    assert "export" in out
    recipe.write_text(PLAIN + "min_speed = 3\n")
    code, _, err = edgevision("build", recipe, "-o", tmp_path / "out")
    assert code == 2
    assert "for a figure that no step gives" in err


def test_a_check_builds_anew_and_names_what_differs_first(recipe, ran, edgevision, tmp_path) -> None:
    assert edgevision("build", recipe, "--check")[0] == 2
    edgevision("build", recipe, "-o", tmp_path / "out")
    lock = recipe.with_suffix(".lock")
    assert json.loads(lock.read_text())["steps"]["export"]["facts"]["input net.pt"]
    # When something was made stands in a model, and is no difference.
    code, out, err = edgevision("build", recipe, "--check", "--quiet")
    assert (code, err) == (0, "")
    assert "is built as mine.lock says" in out
    assert ran == ["export", "evaluate"] * 2
    written = json.loads(lock.read_text())
    written["steps"]["evaluate"]["figures"]["top1"] = 91.0
    lock.write_text(json.dumps(written))
    code, _, err = edgevision("build", recipe, "--check", "--quiet")
    assert code == 1
    assert "evaluate: top1 is 90.0, and was 91.0; nothing that it depends on differs" in err
    written["machine"] = "another"
    lock.write_text(json.dumps(written))
    assert "was built on another" in edgevision("build", recipe, "--check", "--quiet")[2]
    (tmp_path / "photos/a.png").write_bytes(b"changed")
    assert "export: input photos is" in edgevision("build", recipe, "--check", "--quiet")[2]
    lock.write_text("{}")
    assert edgevision("build", recipe, "--check")[0] == 2


def test_a_recipe_is_the_same_from_anywhere(recipe, tmp_path, monkeypatch) -> None:
    one = read_recipe(recipe, tmp_path / "out")
    monkeypatch.chdir("/")
    assert read_recipe(recipe, tmp_path / "out") == one
    assert one.steps[0].inputs == (tmp_path / "net.pt", tmp_path / "photos")


def test_a_command_that_fails_ends_the_build_with_its_code(recipe, edgevision, tmp_path) -> None:
    code, _, err = edgevision("build", recipe, "-o", tmp_path / "out", "--quiet")
    assert code == 2
    assert "the step 'export' ended with code 2" in err
    assert not recipe.with_suffix(".lock").exists()


def test_an_input_error_is_one(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml", tmp_path)
