"""Workers: one key's failure stays with it, is told, and is tried again."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from labelplane.api.groups import Key
from labelplane.cluster.cache import Cache
from labelplane.cluster.client import Client
from labelplane.errors import Transient
from labelplane.handlers.failure_report import failed_status
from labelplane.handlers.logs import JsonFormatter
from labelplane.handlers.main import Operator
from labelplane.handlers.queue import WorkQueue
from labelplane.handlers.watching import Patience
from labelplane.handlers.worker import REPORT_AFTER_FAILURES, Worker
from labelplane.metrics import Metrics
from labelplane.reconcile import Reconciled
from labelplane.settings import Settings
from labelplane.status.checker import violations
from tests.integration.operator.objects import label_job
from tests.patience import HANG_SECONDS

GOOD, BAD = Key("LabelJob", "ns", "good"), Key("LabelJob", "ns", "bad")
SECRET = "a user's own text"


class Bench:
    """A worker whose reconcile fails for BAD."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.close_after = 0
        self.queue = WorkQueue[Key](jitter=lambda: 0.01)
        self.metrics = Metrics(list)
        self.reconciled: list[Key] = []
        self.reports: list[tuple[Key, str]] = []
        self.worker = Worker(self.queue, self._reconcile, self._report, self.metrics)

    async def _reconcile(self, key: Key, now: datetime) -> Reconciled:
        self.reconciled.append(key)
        if len(self.reconciled) == self.close_after:
            self.queue.close()
        if key == BAD:
            raise self.error
        return Reconciled(None, changed=False)

    async def _report(self, key: Key, place: str) -> None:
        self.reports.append((key, place))
        self.queue.close()

    async def work(self) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            await self.worker.run()


async def test_a_crash_stays_with_its_key(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ValueError(SECRET))
    bench.queue.add(BAD)
    bench.queue.add(GOOD)
    await bench.work()
    assert bench.reconciled.count(BAD) == REPORT_AFTER_FAILURES
    assert GOOD in bench.reconciled
    assert [key for key, _ in bench.reports] == [BAD]
    assert "ValueError in _reconcile" in bench.reports[0][1]
    assert SECRET not in caplog.text + bench.reports[0][1]
    assert f'labelplane_reconcile_errors_total{{kind="LabelJob",reason="Unexpected"}} {REPORT_AFTER_FAILURES}.0' in bench.metrics.text().decode()


async def test_a_report_that_fails_is_no_crash() -> None:
    bench = Bench(ValueError())

    async def failing(key: Key, place: str) -> None:
        bench.queue.close()
        raise Transient("ApiUnavailable", "away")

    bench.worker = Worker(bench.queue, bench._reconcile, failing, bench.metrics)
    bench.queue.add(BAD)
    await bench.work()


async def test_a_transient_failure_is_not_reported() -> None:
    bench = Bench(Transient("Conflict", "has changed"))
    bench.queue.add(BAD)
    bench.close_after = REPORT_AFTER_FAILURES + 1
    await bench.work()
    assert bench.reports == []


async def test_the_operators_own_queue_and_watches_are_in_its_metrics() -> None:
    """Depth of the queue, and how long each watch has been silent."""
    cache = Cache()
    metrics = Metrics(cache.resources)
    async with Client(Configuration()) as client:
        operator = Operator(client, Settings("image", namespaces=("ns",)), Patience(), cache, metrics)
        for key in (GOOD, BAD, GOOD):
            operator.queue.add(key)
        text = metrics.text().decode()
    assert "labelplane_queue_depth 2.0" in text
    assert 'labelplane_watch_silence_seconds{namespace="ns",resource="labeljobs"}' in text


async def test_every_reconcile_is_timed_failed_ones_too() -> None:
    bench = Bench(ValueError())
    for key in (BAD, GOOD):
        bench.queue.add(key)
    await bench.work()
    assert f'labelplane_reconcile_duration_seconds_count{{kind="LabelJob"}} {len(bench.reconciled)}.0' in bench.metrics.text().decode()


def test_a_reported_failure_obeys_the_rules_of_conditions() -> None:
    resource: dict[str, Any] = label_job("bad", "model")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    resource["status"] = {"metrics": {"rows": 5}, **failed_status(resource, "it failed", now)}
    assert violations(resource) == []
    again = failed_status(resource, "it failed", datetime(2026, 3, 2, tzinfo=UTC))
    assert again == resource["status"]


def test_a_log_line_is_json_and_names_the_resource() -> None:
    record = logging.makeLogRecord({"name": "labelplane", "levelname": "INFO", "msg": "trying again: %s", "args": ("Conflict",)})
    record.kind, record.namespace, record.resource = "LabelJob", "ns", "job"
    line = json.loads(JsonFormatter().format(record))
    assert {"level": "info", "msg": "trying again: Conflict", "kind": "LabelJob", "namespace": "ns", "name": "job"}.items() <= line.items()


def test_an_exception_in_a_log_gives_its_type_only() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, error.__traceback__)})
    assert json.loads(JsonFormatter().format(record))["error"] == "ValueError"
    assert SECRET not in JsonFormatter().format(record)
