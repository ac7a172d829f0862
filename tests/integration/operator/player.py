"""Plays the node and the job image where there is neither: pods finish with the result that their configuration asks for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from labeljob.contract.config import FitTask, JobConfig, LabelTask, ResolveTask
from labeljob.contract.datasets import Dataset, DatasetPin
from labeljob.contract.digests import digest_of
from labeljob.contract.drift import Shift
from labeljob.contract.reasons import ExitCode, JobReason
from labeljob.contract.result import (
    CheckResult,
    Commit,
    Failure,
    FitResult,
    FunctionColumns,
    JobResult,
    LabelResult,
    ModelVersion,
    ResolveResult,
    ShardResult,
    VersionLine,
)
from labeljob.contract.result_packing import pack
from labelplane.cluster.client import ApiError, Client
from labelplane.cluster.paths import CONFIG_MAPS, PODS
from labelplane.errors import Transient
from labelplane.resources.indexed_job import index_of

BUILD = "build-1"
TIME = "2026-03-01T00:00:00Z"
START = "2026-02-28T23:59:55Z"  # of each pod, five seconds before its end


@dataclass
class World:
    """The data that the jobs read and write: what stands at each URI."""

    data_version: int = 1
    models: dict[str, list[ModelVersion]] = field(default_factory=dict)  # artifacts URI -> versions
    commits: dict[str, list[Commit]] = field(default_factory=dict)  # output URI -> commits
    hold: Callable[[JobConfig], bool] = lambda config: False
    fail: Callable[[JobConfig], bool] = lambda config: False
    ran: list[str] = field(default_factory=list)  # steps, in order
    parts: dict[tuple[str, int], set[int]] = field(default_factory=dict)  # (run, shards) -> those that are labelled

    def result(self, config: JobConfig, index: int = 0) -> JobResult:
        """What the job image would report, after doing it to this world; `index` is the pod's."""
        self.ran.append(config.step)
        if self.fail(config):
            return JobResult(build=BUILD, failure=Failure(reason=JobReason.SCHEMA_BROKEN, message="column image is missing"))
        if config.check:
            functions = config.check.function_set
            checked = CheckResult(function_set_digest=digest_of(functions.canonical()), function_count=len(functions.functions), tests_passed=1)
            return JobResult(build=BUILD, check=checked)
        if config.resolve:
            return JobResult(build=BUILD, resolve=self._resolve(config.resolve))
        if config.fit:
            return JobResult(build=BUILD, fit=self._fit(config.fit))
        if config.shard:
            self.parts.setdefault((config.shard.label.run, config.shard.shards), set()).add(index)
            return JobResult(build=BUILD, shard=ShardResult(shard=index, rows=100))
        if config.commit:
            assert self.parts[config.commit.label.run, config.commit.shards] == set(range(config.commit.shards))
            return JobResult(build=BUILD, label=self._label(config.commit.label))
        assert config.label
        return JobResult(build=BUILD, label=self._label(config.label))

    def _pin(self, dataset: Dataset) -> DatasetPin:
        version = dataset.version if isinstance(dataset.version, int) else self.data_version
        return DatasetPin(uri=dataset.uri, format=dataset.format, table_id="t", version=version, digest=digest_of([dataset.uri, version]))

    def _resolve(self, task: ResolveTask) -> ResolveResult:
        versions = sorted(self.models.get(task.artifacts or "", ()), key=lambda one: -one.version)
        current = next((one for one in versions if task.pin in (None, one.version)), None)
        commits = self.commits.get(task.output or "", ())
        return ResolveResult(
            data=self._pin(task.data),
            gold=self._pin(task.gold) if task.gold else None,
            function_set_digest=digest_of(task.function_set.canonical()) if task.function_set else None,
            versions=[VersionLine(version=one.version, fit_digest=one.fit_digest, fitted_at=one.fitted_at) for one in versions[:10]],
            current=current,
            current_functions=FunctionColumns() if current else None,
            pin_found=current is not None if task.pin is not None else None,
            commit=commits[-1] if commits else None,
            shards=1 if task.shards == "auto" else task.shards,
        )

    def _fit(self, task: FitTask) -> FitResult:
        made = ModelVersion(
            version=task.version, fit_digest=task.fit_digest, sha256=digest_of([task.fit_digest, "artifact"]),
            function_set_digest=task.function_set_digest, data=task.data, gold=task.gold, image=task.image, build=BUILD,
            algorithm="majority-vote", why="few votes", iterations=1, converged=True, fitted_at=TIME, metrics={"coverage": 0.9},
        )  # fmt: skip
        known = self.models.setdefault(task.artifacts, [])
        if all(one.version != made.version for one in known):
            known.append(made)
        return FitResult(version=made, functions=FunctionColumns())

    def _label(self, task: LabelTask) -> LabelResult:
        known = self.commits.setdefault(task.output, [])
        if not known or known[-1].sequence < task.sequence:
            version = self.models[task.artifacts][task.model_version - 1]
            known.append(
                Commit(
                    sequence=task.sequence, run_digest=task.run_digest, run=task.run, table_id="out", version=len(known),
                    content_digest=digest_of(task.run_digest), started_at=TIME, finished_at=TIME, data=task.data,
                    model_version=task.model_version, model_sha256=task.model_sha256, function_set_digest=version.function_set_digest,
                    image=task.image, label_distribution={"risky": 0.25, "normal": 0.75}, drift=[Shift(kind="column", name="restarts", size=0.25)],
                    metrics={"rows": 1000.0, "coverage": 0.95, "conflictRate": 0.05, "meanConfidence": 0.8, "latencySeconds": 3.5},
                )
            )  # fmt: skip
        return LabelResult(commit=known[-1], functions=FunctionColumns())


@asynccontextmanager
async def playing(client: Client, namespace: str, world: World) -> AsyncIterator[World]:
    """Finish every pod of ours in the namespace, until the end; a request under way is let finish."""
    stop = asyncio.Event()
    task = asyncio.create_task(_play(client, namespace, world, stop))
    try:
        yield world
    finally:
        stop.set()
        await task


async def _play(client: Client, namespace: str, world: World, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(Transient, ApiError):  # the API server is away, or the pod is gone: look again
            for pod in (await client.list_all(PODS.path(namespace), PODS.selector))["items"]:
                if pod["status"].get("phase") == "Pending" and not pod["metadata"].get("deletionTimestamp"):
                    await _finish(client, pod, world)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stop.wait()


async def _finish(client: Client, pod: dict[str, Any], world: World) -> None:
    """One pod ends as its container would end."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    volume = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "config")
    config_map = await client.get(CONFIG_MAPS.path(namespace, volume["configMap"]["name"]))
    config = JobConfig.model_validate_json(config_map["data"]["config.json"])
    if world.hold(config):
        return
    result = world.result(config, index_of(pod))
    code = int(ExitCode.BAD_DATA if result.failure else ExitCode.OK)
    await client.merge(PODS.path(namespace, name, "status"), {"status": ended_status(code, pack(result).decode())})


def ended_status(code: int, message: str) -> dict[str, Any]:
    """Status of a pod whose one container has ended."""
    terminated = {"exitCode": code, "message": message, "reason": "Completed" if code == 0 else "Error", "startedAt": TIME, "finishedAt": TIME}
    container = {"name": "job", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": terminated}}
    return {"phase": "Succeeded" if code == 0 else "Failed", "startTime": START, "containerStatuses": [container]}
