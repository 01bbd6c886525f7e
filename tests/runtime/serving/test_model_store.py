"""When models are opened and closed."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.serving import model_store
from edgevision.runtime.serving.model_store import ModelStore
from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.settings import ServerSettings


class FakeModel:
    """Stands for an open model."""

    opened: ClassVar[list[str]]
    closed: ClassVar[list[str]]
    fails: ClassVar[bool]

    def __init__(self, offered: Any, *_: Any) -> None:
        self.opened.append(offered.name)
        if self.fails:
            raise DeviceError("it is not there")
        self.name = offered.name
        self.facts = {"device": "cpu", "engine": "fake"}
        self.idle = True
        self.last_used = time.monotonic()

    def close(self) -> None:
        self.closed.append(self.name)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelStore]:
    monkeypatch.setattr(model_store, "ServedModel", FakeModel)
    monkeypatch.setattr(model_store, "_SECONDS_BETWEEN_LOOKS", 0.01)
    FakeModel.opened, FakeModel.closed, FakeModel.fails = [], [], False
    offered = SimpleNamespace(name="classify")
    catalogue: Any = SimpleNamespace(
        tasks={"classify": offered},
        task=lambda name: offered,
        offered=lambda name: SimpleNamespace(name=name, task="classify"),
    )
    metrics: Any = SimpleNamespace(loaded=lambda *_, **__: None, answered=None)
    return lambda **limits: ModelStore(catalogue, ServerSettings(**limits), metrics)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


def test_a_model_is_opened_once_for_all_who_ask(store):
    async def work() -> None:
        models = store()
        first, second = await asyncio.gather(models.model("a"), models.model("a"))
        assert first is second is await models.model("a")
        assert FakeModel.opened == ["a"]
        await models.close()
        assert FakeModel.closed == ["a"]

    run(work())


def test_one_that_cannot_be_opened_is_tried_again(store):
    async def work() -> None:
        models = store()
        FakeModel.fails = True
        with pytest.raises(DeviceError):
            await models.opened("a")
        # A request is not told where the file lies.
        with pytest.raises(RefusalError, match="the model a cannot be opened now") as refused:
            await models.model("a")
        assert refused.value.status == 503
        FakeModel.fails = False
        assert (await models.model("a")).name == "a"

    run(work())


def test_what_is_idle_for_too_long_is_closed_and_what_is_in_work_is_not(store):
    async def work() -> None:
        models = store(idle_unload=0.0)
        busy = await models.model("a")
        busy.idle = False
        await models.model("b")
        tidying = asyncio.create_task(models.keep_tidy())
        await until(lambda: FakeModel.closed == ["b"])
        busy.idle = True
        await until(lambda: FakeModel.closed == ["b", "a"])
        tidying.cancel()

    run(work())


def test_while_memory_is_short_the_one_that_was_least_recently_asked_for_is_closed(store, monkeypatch):
    monkeypatch.setattr(model_store, "resident_mb", lambda: 100.0)

    async def work() -> None:
        models = store(memory=200 << 20)
        for name in "abca":
            await models.model(name)
        tidying = asyncio.create_task(models.keep_tidy())
        await asyncio.sleep(0.05)
        assert FakeModel.closed == []
        monkeypatch.setattr(model_store, "resident_mb", lambda: 300.0)
        await until(lambda: FakeModel.closed == ["b", "c"])
        await asyncio.sleep(0.05)
        # Closing the last would only mean to open it again.
        assert set(models.open_models) == {"a"}
        tidying.cancel()

    run(work())


def test_closing_does_not_keep_others_waiting(store, monkeypatch):
    held = threading.Event()
    monkeypatch.setattr(FakeModel, "close", lambda self: held.wait(20))

    async def work() -> None:
        models = store(idle_unload=0.0)
        tidying = asyncio.create_task(models.keep_tidy())
        await models.model("a")
        await until(lambda: not models.open_models)
        assert (await models.model("b")).name == "b"
        held.set()
        tidying.cancel()
        await models.close()

    run(work())
