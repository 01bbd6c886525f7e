import threading

import pytest

from edgevision.core.errors import (
    DeviceMemoryError,
    DiskFullError,
    ImageError,
    MissingExtraError,
    NotFiniteError,
    OutputError,
)
from edgevision.runtime.files.batch import each_done, failure_message, overlapped, overlapped_batches

PATIENCE = 30  # seconds until a test that hangs fails instead


def run(jobs, read=lambda job: job, process=lambda content: content, write=lambda job, *_: None, at_once=1):
    return overlapped(jobs, read, process, write, at_once=at_once)


def refuse(error, number):
    def act(job, *_):
        if job == number:
            raise error
        return job

    return act


def test_every_job_is_read_processed_and_written_in_order():
    written = {}

    def write(job, result):
        written[job] = result

    outcomes = list(run(range(20), lambda job: 10 * job, lambda content: content + 1, write))
    assert outcomes == [(job, None) for job in range(20)]
    assert written == {job: 10 * job + 1 for job in range(20)}


def test_no_jobs_are_no_trouble():
    assert list(run([])) == []


def test_order_is_kept_when_later_pictures_are_quicker():
    second_read, last_written = threading.Event(), threading.Event()

    def read(job):
        if job == 0:
            assert second_read.wait(PATIENCE)
        elif job == 1:
            second_read.set()
        return job

    def write(job, result):
        if job == 0:
            assert last_written.wait(PATIENCE)
        elif job == 2:
            last_written.set()

    assert [job for job, _ in run(range(3), read, write=write)] == [0, 1, 2]


def test_the_model_runs_in_a_thread_of_its_own_and_files_are_handled_in_others():
    threads = {"read": set(), "process": set(), "write": set()}

    def note(step):
        return lambda job, *_: threads[step].add(threading.current_thread()) or job

    list(run(range(8), note("read"), note("process"), note("write")))
    assert len(threads["process"]) == 1
    assert threads["process"].isdisjoint(threads["read"] | threads["write"] | {threading.current_thread()})


def test_only_a_few_pictures_are_held_at_a_time():
    asked, done, ahead = [], [], []

    def jobs():
        for job in range(50):
            asked.append(job)
            yield job

    for job, _ in run(jobs()):
        done.append(job)
        ahead.append(len(asked) - len(done))
    assert len(done) == 50
    assert max(ahead) <= 8


def test_several_pictures_are_processed_at_once_where_that_pays_and_come_back_in_order():
    together = threading.Barrier(3, timeout=PATIENCE)

    def process(content):
        together.wait()
        return content

    assert [job for job, _ in run(range(9), process=process, at_once=3)] == list(range(9))


def test_then_one_thread_takes_a_picture_from_its_file_to_its_file():
    threads = {}

    def note(job, *_):
        threads.setdefault(job, set()).add(threading.current_thread())
        return job

    list(run(range(9), note, note, note, at_once=2))
    assert all(len(own) == 1 for own in threads.values())
    assert len(set.union(*threads.values())) <= 2


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("step", ["read", "process", "write"])
@pytest.mark.parametrize(
    "error",
    [
        ImageError("damaged"),
        OutputError("no such folder"),
        NotFiniteError("nan"),
        DeviceMemoryError("gpu"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_one_bad_file_is_reported_in_its_place_and_the_rest_is_done(step, error, at_once):
    written = []
    steps = {"read": lambda job: job, "process": lambda content: content, "write": lambda job, *_: written.append(job)}
    failing = refuse(error, 4)
    original = steps[step]
    steps[step] = lambda job, *rest: (failing(job), original(job, *rest))[1]
    outcomes = list(run(range(9), **steps, at_once=at_once))
    assert outcomes == [(job, error if job == 4 else None) for job in range(9)]
    assert sorted(written) == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("step", ["read", "process", "write"])
@pytest.mark.parametrize("error", [DiskFullError("full"), ZeroDivisionError()])
def test_what_is_not_about_one_file_ends_the_work(step, error, at_once):
    outcomes = []
    results = run(range(100), **{step: refuse(error, 4)}, at_once=at_once)
    with pytest.raises(type(error)):
        outcomes.extend(results)
    assert outcomes == [(job, None) for job in range(len(outcomes))]
    assert len(outcomes) <= 4


def test_what_is_being_written_when_the_work_ends_is_finished_first():
    started, finished = threading.Event(), []

    def write(job, result):
        started.set()
        finished.append(job)

    def process(content):
        if content == 1:
            assert started.wait(PATIENCE)
            raise ZeroDivisionError
        return content

    with pytest.raises(ZeroDivisionError):
        list(run(range(100), process=process, write=write))
    assert finished[0] == 0


@pytest.mark.parametrize("at_once", [1, 2])
def test_nothing_more_is_read_or_written_once_the_caller_stops(at_once):
    read, written = [], []

    def note(job, *_):
        written.append(job)

    results = run(range(1000), lambda job: read.append(job) or job, write=note, at_once=at_once)
    assert next(results) == (0, None)
    results.close()
    assert len(read) <= 8
    assert len(written) <= len(read)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("read_", "process_", "write_"))]


def test_of_jobs_done_one_by_one_the_bad_ones_are_distinguished():
    errors = {1: ImageError("damaged"), 2: MemoryError(), 4: NotFiniteError("nan")}
    failures = []

    def work(job):
        if job in errors:
            raise errors[job]
        return 10 * job

    assert list(each_done(range(6), work, lambda job, error: failures.append((job, error)))) == [
        (0, 0),
        (3, 30),
        (5, 50),
    ]
    assert failures == list(errors.items())
    errors[5] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        list(each_done(range(6), work, lambda *_: None))


def test_a_failure_says_which_picture_it_is_about_once():
    assert failure_message("a.png", ImageError("'a.png' is damaged")) == "'a.png' is damaged"
    assert failure_message("a.png", NotFiniteError("4 of 4 values")) == "a.png: 4 of 4 values"
    assert failure_message("a.png", MemoryError()) == "a.png: it takes more memory than there is"


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_missing_extra_ends_the_work_only_where_every_file_needs_it(at_once):
    error = MissingExtraError("pillow_heif", "heif")
    assert list(run(range(3), read=refuse(error, 1), at_once=at_once)) == [(0, None), (1, error), (2, None)]
    failures = []
    done = each_done(range(3), refuse(error, 1), lambda job, error: failures.append(job))
    assert ([job for job, _ in done], failures) == ([0, 2], [1])
    with pytest.raises(MissingExtraError):
        list(run([7], read=refuse(error, 7), at_once=at_once))
    with pytest.raises(MissingExtraError):
        list(each_done([7], refuse(error, 7), lambda *_: None))


@pytest.mark.parametrize("size", [1, 3, 20])
def test_batches_are_processed_together_and_written_one_by_one(size):
    sizes, written = [], {}

    def process(contents):
        sizes.append(len(contents))
        return [content + 1 for content in contents]

    outcomes = list(overlapped_batches(range(7), size, lambda job: 10 * job, process, written.__setitem__))
    assert outcomes == [(job, None) for job in range(7)]
    assert written == {job: 10 * job + 1 for job in range(7)}
    assert max(sizes) == min(size, 7)


@pytest.mark.parametrize("where", ["read", "process", "write"])
def test_one_file_of_a_batch_fails_and_the_others_are_done(where):
    error, written = ImageError("damaged"), []
    refusing = refuse(error, 2)

    def process(contents):
        return [refusing(content) if where == "process" else content for content in contents]

    def write(job, result):
        written.append(refusing(job) if where == "write" else job)

    read = refusing if where == "read" else lambda job: job
    outcomes = list(overlapped_batches(range(5), 4, read, process, write))
    assert outcomes == [(job, error if job == 2 else None) for job in range(5)]
    assert sorted(written) == [0, 1, 3, 4]
