"""Pictures over the workers of a Ray that is started here: as one process would do them, whoever dies."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

ray = pytest.importorskip("ray")

from edgevision.core.atomic_files import atomic_file  # noqa: E402
from edgevision.core.errors import DeviceError, EngineCrashError  # noqa: E402
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec  # noqa: E402
from edgevision.runtime.cluster.ray_workers import RayRequest, connected, ray_workers  # noqa: E402
from edgevision.runtime.engines.assignment import Assignment  # noqa: E402
from edgevision.runtime.files.inputs import PictureInput  # noqa: E402
from edgevision.runtime.files.outputs import PictureJob  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with connected(ray, RayRequest(address="local", workers=2, resources={"npu": 1})):
        yield


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Nine pictures in folders ``in`` and ``in/deep`` of where the user is."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    Path("in/deep").mkdir(parents=True)
    for number in range(9):
        pixels = generator.integers(0, 160, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{'deep/' * (number % 2)}{number}.png")
    return tmp_path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def words(text):
    """What was printed, the same for every folder of results."""
    return text.replace("many/", "one/")


def test_a_folder_over_two_workers_is_as_over_one_process_a_failing_picture_too(edgevision, write_restorer, pictures):
    Path("in/broken.png").write_bytes(b"no picture")
    denoise = ("run", "denoise", "in", "-m", write_restorer("denoise"))
    code, out, err = edgevision(*denoise, "-o", "one/", "--threads", "1")
    assert code == 1
    code_of_many, out_of_many, err_of_many = edgevision(*denoise, "-o", "many/", "--ray", "local", "--ray-workers", 2)
    assert (code_of_many, words(out_of_many), words(err_of_many)) == (code, out, err)
    assert "1 of 10 pictures failed, the others were done" in err
    assert len(contents("many")) == 9
    assert contents("many") == contents("one")

    Path("many/0.png").unlink()
    kept = {name: Path("many", name).stat().st_mtime_ns for name in contents("many")}
    code, out, _ = edgevision(*denoise, "-o", "many/", "--ray", "local", "--ray-workers", 1, "--resume", "--json")
    document = json.loads(out)
    assert (code, document["skipped"], len(document["failures"])) == (1, 8, 1)
    assert document["results"] == [{"input": "in/0.png", "output": "many/0.png"}]
    assert {name: Path("many", name).stat().st_mtime_ns for name in kept} == kept
    assert contents("many") == contents("one")


def test_printed_answers_come_in_the_order_of_the_pictures(edgevision, write_colours, pictures):
    classify = ("run", "classify", "in", "-m", write_colours(), "--csv")
    code, out, err = edgevision(*classify, "--threads", "1")
    assert edgevision(*classify, "--ray", "local", "--ray-workers", 1) == (code, out, err)
    assert (code, len(out.splitlines())) == (0, 1 + 9 * 3)


def test_each_worker_takes_what_nodes_say_they_have(edgevision, write_colours, pictures):
    classify = ("run", "classify", "in", "-m", write_colours(), "--csv")
    code, out, err = edgevision(*classify, "--threads", "1")
    assert edgevision(*classify, "--ray", "local", "--ray-resource", "npu=1") == (code, out, err)


def test_a_list_and_a_failing_picture_of_it_go_over_workers_too(edgevision, write_colours, pictures):
    Path("list.txt").write_text("in/deep/1.png\nin/lacking.png\nin/0.png\n")
    classify = ("run", "classify", "--files", "list.txt", "-m", write_colours(), "--csv")
    code, out, err = edgevision(*classify, "--threads", "1")
    assert (code, len(out.splitlines())) == (1, 1 + 2 * 3)
    assert edgevision(*classify, "--ray", "local", "--ray-workers", 2) == (code, out, err)


def test_figures_of_workers_are_those_of_one_process(edgevision, write_colours, write_class_folders, pictures):
    data = write_class_folders(Path("data"), {"red": 70, "green": 60, "blue": 65})
    next(data.rglob("*.png")).write_bytes(b"no picture")
    evaluate = ("evaluate", write_colours(), data, "--json")
    code, out, err = edgevision(*evaluate, "--threads", "1")
    assert (code, json.loads(out)["images"]) == (1, 194)
    assert edgevision(*evaluate, "--ray", "local", "--ray-workers", 2) == (code, out, err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("denoise", "in", "--ray", "local"), "drawn after that of the one before"),
        (("classify", "in", "--ray", "local"), "no class folders"),
        (("classify", "in", "--ray", "local", "--corruptions"), "leave out --ray"),
        (("classify", "in", "--ray-workers", "2"), "are for --ray"),
    ],
)
def test_what_one_process_has_to_measure_is_said(edgevision, pictures, words, message):
    code, out, err = edgevision("evaluate", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "fault of edgevision" not in err


def workers_of_this_process():
    """Process ids of the workers that Ray started here."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = status.read_text().rpartition(")")[2]
            parents[int(status.parent.name)] = int(rest.split()[1]), (status.parent / "cmdline").read_bytes()
        except OSError:
            continue

    def ours(process):
        while process in parents:
            if process == os.getpid():
                return True
            process = parents[process][0]
        return False

    return [
        process for process, (_, line) in parents.items() if line.startswith(b"ray::PictureWorker") and ours(process)
    ]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")
def test_kill_9_of_workers_in_the_middle_loses_nothing(edgevision, write_restorer, pictures):
    # The last take longest, so that there is always something left to do when the first result is there.
    large = np.random.default_rng(1).integers(0, 160, (1000, 1000, 3), dtype=np.uint8)
    for number in range(3):
        Image.fromarray(large).save(f"in/large{number}.png", compress_level=1)
    denoise = ("run", "denoise", "in", "-m", write_restorer("denoise"))
    assert edgevision(*denoise, "-o", "one/", "--threads", "1")[0] == 0

    killed = []

    def kill_after_the_first_result():
        while not contents("many"):
            time.sleep(0.005)
        killed.extend(workers_of_this_process())
        for process in killed:
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill_after_the_first_result, daemon=True)
    killer.start()
    code, out, err = edgevision(*denoise, "-o", "many/", "--ray", "local", "--ray-workers", 2)
    killer.join()
    assert code == 0, err
    assert killed
    assert "a worker died; what it had (1) is given to another" in err
    assert sorted(out.splitlines()) == sorted(f"many/{name}" for name in contents("one"))
    assert contents("many") == contents("one")


def copying_work(attempts, deadly):
    """Work that copies pictures and writes down each attempt, and dies over some names after it wrote their file.

    Made in a function, so that it is told to the workers whole: they cannot import a test.
    """
    metadata = ModelMetadata(
        task="denoise",
        name="copies",
        inputs=(TensorSpec(name="image", shape=(1,)),),
        outputs=(TensorSpec(name="copy", shape=(1,)),),
    )
    engine = SimpleNamespace(name="none", device="cpu", assignment=Assignment.of("cpu", []))

    class Copying:
        batch = 1

        def open(self):
            return nullcontext(SimpleNamespace(metadata=metadata, engine=engine))

        def each(self, pipeline, jobs, *, again):
            for job in jobs:
                name = job.picture.name
                with attempts.open("a") as stream:
                    stream.write(f"{name}\n")
                with atomic_file(job.target, force=again) as temporary:
                    temporary.write_text(name)
                if attempts.read_text().split().count(name) <= deadly.get(name, 0):
                    os.kill(os.getpid(), signal.SIGKILL)
                yield job, None, name

    return Copying()


def test_a_picture_is_done_again_once_and_one_that_kills_every_worker_fails_alone(tmp_path):
    jobs = [PictureJob(PictureInput(name, b""), tmp_path / name) for name in ("a", "b", "c", "d")]
    work = copying_work(tmp_path / "attempts", {"b": 1, "c": 9})
    with ray_workers(work, RayRequest(address="local", workers=1)) as working:
        done = list(working.each(jobs))
    assert [job for job, _, _ in done] == jobs
    assert [result for _, _, result in done] == ["a", "b", None, "d"]
    errors = [error for _, error, _ in done]
    assert [type(error) for error in errors] == [type(None), type(None), EngineCrashError, type(None)]
    assert "2 workers died over it" in str(errors[2])
    attempts = (tmp_path / "attempts").read_text().split()
    assert sorted(attempts) == ["a", "b", "b", "c", "c", "d"]


@pytest.mark.parametrize(
    ("request_for", "message"),
    [
        ({"workers": 50}, "50 workers take CPU 50"),
        ({"workers": 3, "resources": {"npu": 1}}, "npu 3, and the cluster has"),
        ({"gpus": 1, "resources": {"tpu": 1}}, "tpu 0"),
    ],
)
def test_a_cluster_without_room_is_said_at_once(request_for, message):
    with (
        pytest.raises(DeviceError, match=message),
        ray_workers(copying_work(Path("none"), {}), RayRequest(address="local", **request_for)),
    ):
        pass


def test_what_is_wrong_with_the_model_is_said_as_without_workers(edgevision, pictures):
    Path("wrong.onnx").write_bytes(b"no model")
    classify = ("run", "classify", "in", "-m", "wrong.onnx")
    assert edgevision(*classify, "--ray", "local", "--ray-workers", 1) == edgevision(*classify)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray-workers", "2"], "are for --ray"),
        (["--ray", ""], "--ray says where: local, auto or an address, as 10.0.0.1:6379, not ''"),
        (["--ray", "nowhere"], "an address, as 10.0.0.1:6379, not 'nowhere'"),
        (["--ray", "10.0.0.1:many"], "an address, as 10.0.0.1:6379, not '10.0.0.1:many'"),
        (["--ray", "local", "--ray-resource", "npu"], "NAME=AMOUNT"),
        (["--ray", "local", "--ray-resource", "npu=-1"], "NAME=AMOUNT"),
        (["--ray", "local", "--on", "pi@board"], "give one of them"),
    ],
)
def test_options_without_a_meaning_are_refused(edgevision, pictures, options, message):
    code, out, err = edgevision("run", "classify", "in", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert "fault of edgevision" not in err


def test_a_cluster_that_does_not_start_in_time_is_no_fault():
    class Busy:
        """In place of Ray on a machine that has no time for it."""

        def is_initialized(self):
            return False

        def init(self, *where, **how):
            raise Exception("The current node timed out during startup.")

    with (
        pytest.raises(DeviceError, match="no Ray cluster answers at 'local': The current node timed out"),
        connected(Busy(), RayRequest(address="local")),
    ):
        pass


def test_what_listens_and_is_not_ray_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.0 400 Bad request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            pytest.raises(DeviceError, match=f"no Ray cluster answers at '{address}': what listens there is not Ray"),
            connected(SimpleNamespace(is_initialized=lambda: False), RayRequest(address=address)),
        ):
            pass
        thread.join()


def test_ray_is_imported_only_where_it_is_asked_for_and_a_cluster_that_is_not_there_is_named(run_python, pictures):
    program = """
import sys
from edgevision.cli.app import main
for options, expected in (([], 0), (["--ray", "nowhere"], 2), (["--ray", "127.0.0.1:1"], 3)):
    try:
        main(["run", "classify", "in/0.png", *options])
    except SystemExit as end:
        assert (end.code or 0) == expected, end.code
    assert ("ray" in sys.modules) == (expected == 3)
"""
    process = run_python("-c", program, cwd=pictures)
    assert process.returncode == 0, process.stderr
    assert "no Ray cluster answers at '127.0.0.1:1'" in process.stderr
