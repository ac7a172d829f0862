"""Workers: take a key, reconcile it, decide when to look again. One key's failure never touches another's."""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from labelplane.api.groups import Key
from labelplane.errors import ReconcileError, Waiting
from labelplane.handlers.queue import QueueClosedError, WorkQueue
from labelplane.metrics import Metrics
from labelplane.reconcile import Reconciled

WAITING_SECONDS = 60.0  # a net under the events that should wake us
REPORT_AFTER_FAILURES = 3

Reconcile = Callable[[Key, datetime], Awaitable[Reconciled]]
Report = Callable[[Key, str], Awaitable[None]]

logger = logging.getLogger(__name__)


class Worker:
    """Works on one key at a time until the queue closes."""

    def __init__(self, queue: WorkQueue[Key], reconcile: Reconcile, report: Report, metrics: Metrics) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._report = report
        self._metrics = metrics

    async def run(self) -> None:
        """Work until the queue is closed."""
        while True:
            try:
                key = await self._queue.take()
            except QueueClosedError:
                return
            try:
                await self._work(key)
            finally:
                self._queue.done(key)

    async def _work(self, key: Key) -> None:
        started = time.perf_counter()
        try:
            reconciled = await self._reconcile(key, datetime.now(UTC))
        except Waiting as waiting:
            self._log(logging.INFO, key, f"waiting: {waiting.reason}")
            self._queue.later(key, WAITING_SECONDS)
        except ReconcileError as error:
            self._failed(key, error.reason)
            self._log(logging.INFO, key, f"trying again: {error}")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one resource stays with it
            await self._unexpected(key, error)
        else:
            self._queue.succeeded(key)
            if reconciled.requeue_after is not None:
                self._queue.later(key, reconciled.requeue_after)
        finally:
            self._metrics.reconciled(key.kind, time.perf_counter() - started)

    def _failed(self, key: Key, reason: str) -> int:
        self._metrics.reconcile_failed(key.kind, reason)
        return self._queue.retry(key)

    async def _unexpected(self, key: Key, error: Exception) -> None:
        failures = self._failed(key, "Unexpected")
        place = where(error)
        self._log(logging.ERROR, key, f"unexpected failure {failures}: {place}")
        if failures < REPORT_AFTER_FAILURES:
            return
        try:
            await self._report(key, place)
        except Exception as unreported:  # noqa: BLE001 - telling people is worth a try, not a crash
            self._log(logging.ERROR, key, f"failure not reported: {where(unreported)}")

    def _log(self, level: int, key: Key, message: str) -> None:
        logger.log(level, message, extra={"kind": key.kind, "namespace": key.namespace, "resource": key.name})


def where(error: BaseException) -> str:
    """Type and place of an exception, innermost first; not its text, which may quote what a user wrote."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in reversed(frames))
    return f"{type(error).__name__} in {places}"
