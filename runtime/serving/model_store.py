"""The models that are open: each when it is first asked for, until it has been idle, or memory is short."""

import asyncio
import logging
import time

from edgevision.core.errors import EdgevisionError
from edgevision.core.process_memory import heap_trimmer, resident_mb
from edgevision.runtime.serving.catalogue import Catalogue
from edgevision.runtime.serving.metrics import Metrics
from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.request_queue import Admission
from edgevision.runtime.serving.served_model import ServedModel
from edgevision.runtime.serving.settings import ServerSettings

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class ModelStore:
    """Opens and closes models; all of its methods are for the thread of the event loop.

    Attributes:
        open_models: by name, the least recently asked for first.
        admissions: how many requests are open, by task.
    """

    def __init__(self, catalogue: Catalogue, settings: ServerSettings, metrics: Metrics) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._metrics = metrics
        self.open_models: dict[str, ServedModel] = {}
        self.admissions = {name: Admission(settings.queue) for name in catalogue.tasks}
        self._opening: dict[str, asyncio.Task[ServedModel]] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def model(self, name: str) -> ServedModel:
        """The open model of that name, for a request; :class:`RefusalError` where it cannot be opened."""
        try:
            return await self.opened(name)
        except EdgevisionError as error:
            # Where the file lies is nothing for clients.
            _log.error("%s cannot be opened: %s", name, error)
            raise RefusalError(
                503, "model", f"the model {name} cannot be opened now; the server's log says why"
            ) from error

    async def opened(self, name: str) -> ServedModel:
        """The open model of that name.

        Raises:
            ModelFileError, DeviceError: it cannot be opened.
        """
        while (model := self.open_models.pop(name, None)) is None:
            opening = self._opening.get(name)
            if opening is None:
                opening = self._opening[name] = asyncio.create_task(self._open(name))
                opening.add_done_callback(lambda _: self._opening.pop(name, None))
            # Who goes away must not stop it for the others.
            await asyncio.shield(opening)
        self.open_models[name] = model
        return model

    async def _open(self, name: str) -> ServedModel:
        offered = self._catalogue.offered(name)
        task = self._catalogue.task(offered.task)
        admission = self.admissions[task.name]
        self._make_room()
        model = await asyncio.to_thread(ServedModel, offered, task, self._settings, admission, self._metrics.answered)
        self._metrics.loaded(name, model.facts["device"], model.facts["engine"], open_now=True)
        self.open_models[name] = model
        return model

    async def keep_tidy(self) -> None:
        """Close what is idle for too long, or too much; runs until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            limit = self._settings.idle_unload
            if limit is not None:
                oldest = time.monotonic() - limit
                for name, model in list(self.open_models.items()):
                    if model.idle and model.last_used < oldest:
                        self._close(name)
            self._make_room()

    def _make_room(self) -> None:
        """Close the model that was least recently asked for, of those that are idle, while memory is short."""
        limit = self._settings.memory
        if limit is None or self._closing or (resident_mb() or 0) * 2**20 <= limit:
            return
        waiting = [name for name, model in self.open_models.items() if model.idle]
        if len(self.open_models) > 1 and waiting:
            self._close(waiting[0])

    def _close(self, name: str) -> None:
        _log.info("%s is closed", name)
        model = self.open_models.pop(name)
        self._metrics.loaded(name, model.facts["device"], model.facts["engine"], open_now=False)
        closing = asyncio.ensure_future(asyncio.to_thread(_closed, model))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Answer what waits, and close all."""
        for name in list(self.open_models):
            self._close(name)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _closed(model: ServedModel) -> None:
    model.close()
    trim = heap_trimmer()
    if trim is not None:
        trim(0)
