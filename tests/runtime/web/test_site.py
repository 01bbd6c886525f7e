"""The folder that is written: what is in it, and when it is not written."""

import json
from hashlib import sha256

import numpy as np
import pytest
from json_schemas import check

from edgevision.core.lazy_objects import load_object
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.keypoints.spec import Refinement
from edgevision.runtime.web import onnxruntime_web


def _files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def build(edgevision, hollow_runtime):
    def run(*arguments):
        return edgevision("web", *arguments, "--runtime", hollow_runtime)

    return run


def test_a_site_holds_the_page_the_model_its_samples_and_the_runtime(build, tmp_path):
    code, output, _ = build("classify", "-o", tmp_path / "site", "--json")
    assert code == 0
    report = json.loads(output)
    files = _files(tmp_path / "site")
    assert report["files"] == len(files)
    assert report["bytes"] == sum(path.stat().st_size for path in files.values())
    assert {"index.html", "sw.js", "site.json", "models/classify.onnx", "models/classify.samples.bin"} <= set(files)
    assert "runtime/LICENCE.txt" in files
    assert "MIT License" in files["runtime/LICENCE.txt"].read_text()
    assert not [name for name in files if name.endswith(".mjs")]


def test_what_is_printed_is_as_its_schema_says(build, tmp_path):
    check("web", json.loads(build("generate", "-o", tmp_path / "site", "--json")[1]))


def test_nothing_of_the_server_is_left_in_it(build, tmp_path):
    build("classify", "-o", tmp_path / "site")
    files = _files(tmp_path / "site")
    assert not {"page/server.js", "page/token_dialog.js"} & set(files)
    assert "token" not in files["index.html"].read_text()


def test_the_service_worker_knows_the_hash_of_every_file(build, tmp_path):
    build("classify", "-o", tmp_path / "site")
    text = (tmp_path / "site" / "sw.js").read_text()
    site = json.loads(text[text.index("{") : text.index(";\n")])
    files = _files(tmp_path / "site")
    del files["sw.js"]
    assert site["files"] == {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_another_model_is_another_version(build, tmp_path):
    versions = [
        json.loads(build(model, "-o", tmp_path / name, "--json")[1])["version"]
        for name, model in (("a", "classify"), ("b", "classify"), ("c", "features"))
    ]
    assert versions[0] == versions[1] != versions[2]


def test_the_samples_are_what_the_native_engine_computes(build, tmp_path):
    build("classify", "-o", tmp_path / "site")
    parity = json.loads((tmp_path / "site" / "site.json").read_text())["models"][0]["parity"]
    numbers = np.fromfile(tmp_path / "site" / parity["file"], "<f4")
    count, (one, *sides) = parity["count"], parity["inputs"][0]["shape"]
    size = count * int(np.prod(sides))
    with open_engine(shipped_model("classify"), "ort:cpu") as engine:
        (found,) = engine.run({"image": numbers[:size].reshape(count, *sides)})
    np.testing.assert_allclose(numbers[size:], found.ravel(), rtol=1e-5, atol=1e-5)
    assert one == 1
    assert parity["arg_max"] == found.argmax(axis=1).tolist()


def test_a_site_is_replaced_only_by_force_and_other_folders_never(build, tmp_path):
    target = tmp_path / "site"
    assert build("classify", "-o", target)[0] == 0
    code, _, error = build("classify", "-o", target)
    assert (code, "--force" in error) == (2, True)
    (target / "left-over").write_text("")
    assert build("classify", "-o", target, "--force")[0] == 0
    assert not (target / "left-over").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, _, error = build("classify", "-o", tmp_path / "mine", "--force")
    assert (code, "other files" in error) == (2, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_what_does_not_run_in_a_browser_is_refused_with_what_does(build, write_colours, tmp_path):
    code, _, error = build(write_colours("colours.onnx", batch=4), "-o", tmp_path / "site")
    assert (code, "batch of 1" in error) == (2, True)
    shipped = require_metadata(shipped_model("keypoints"))
    head = shipped.spec.head.updated(refinement=Refinement.DARK)
    served = load_object(find_task("keypoints").served)
    assert served.browser_refusal(shipped) is None
    assert "DARK" in served.browser_refusal(shipped.updated(spec=shipped.spec.updated(head=head)))
    for name, reason in (("sequence", "no clips frame by frame"), ("cutout", "made of several")):
        code, _, error = build(name, "-o", tmp_path / "site")
        assert (code, reason in error) == (2, True), error
    assert not (tmp_path / "site").exists()


def test_of_every_task_that_no_page_does_it_is_said_why():
    tasks = [task for name in task_names() if (task := find_task(name)).served]
    served = {task.name: load_object(task.served) for task in tasks}
    assert {"classify", "compress"} <= set(served)
    assert [name for name, one in served.items() if (one.browser is None) != bool(one.not_in_browser)] == []


def test_the_page_says_what_a_browser_does_not(build, tmp_path):
    build("inpaint", "-o", tmp_path / "site")
    document = json.loads((tmp_path / "site" / "site.json").read_text())
    assert "without texture" in document["models"][0]["bad_at"]
    build("denoise", "-o", tmp_path / "other")
    denoise = json.loads((tmp_path / "other" / "site.json").read_text())["models"][0]
    assert "Strength keeps some of both" in denoise["bad_at"]
    assert "--" not in denoise["bad_at"]
    assert "fill" not in [option["name"] for option in document["tasks"][0]["options"]]


def test_another_version_of_the_runtime_is_refused(edgevision, hollow_runtime, tmp_path):
    (hollow_runtime / "package.json").write_text('{"version": "1.2.3"}')
    code, _, error = edgevision("web", "classify", "-o", tmp_path / "site", "--runtime", hollow_runtime)
    assert code == 2
    assert "1.2.3" in error
    assert onnxruntime_web.VERSION in error


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_a_runtime_that_is_not_npms_is_refused(edgevision, tmp_path, content):
    archive = tmp_path / "onnxruntime-web.tgz"
    archive.write_bytes(content)
    code, _, error = edgevision("web", "classify", "-o", tmp_path / "site", "--runtime", archive)
    assert (code, "as npm has it" in error) == (2, True)


def test_without_a_network_the_error_says_how_to_bring_the_runtime(edgevision, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(onnxruntime_web.shutil, "which", lambda name: None)
    monkeypatch.setattr(onnxruntime_web, "_ADDRESS", "http://127.0.0.1:9/none.tgz")
    code, _, error = edgevision("web", "classify", "-o", tmp_path / "site")
    assert code == 2
    assert "--runtime" in error
    assert not list((tmp_path / "cache").rglob("*.tgz"))
    monkeypatch.setenv("EDGEVISION_OFFLINE", "1")
    code, _, error = edgevision("web", "classify", "-o", tmp_path / "site")
    assert (code, "EDGEVISION_OFFLINE" in error) == (2, True)


def test_verifying_a_folder_that_is_no_site_says_so(edgevision, tmp_path):
    code, _, error = edgevision("verify", tmp_path)
    assert (code, "no site" in error) == (2, True)


def test_verifying_a_model_asks_for_what_it_was_made_from(edgevision):
    code, _, error = edgevision("verify", "classify")
    assert (code, "--against" in error) == (2, True)
