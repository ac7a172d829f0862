"""A cluster in memory whose jobs do what real ones report: enough to run every decision, and nothing of ours is replaced."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from labeljob.contract.calibration import CalibrationRecord, Interval
from labeljob.contract.config import JobConfig, LabelTask, ResolveTask
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import digest_of
from labeljob.contract.drift import Shift
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import InputQuery, ModelInput, chain_of
from labeljob.contract.privacy import HashKeyPin, PrivacyFinding
from labeljob.contract.quarantine import Quarantine
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult, Commit, DependentPair, Failure, FitResult, FunctionColumns, JobResult, LabelResult, ModelVersion, ResolveResult, VersionLine
from labeljob.io.shard_place import DECIDED
from labelplane.api.groups import Key
from labelplane.api.parse import key_of
from labelplane.plan.actions import Action, CreateJob, Event
from labelplane.plan.observed import Indexes, Observed, ObservedJob
from labelplane.reconcile import reconcile
from labelplane.settings import Settings
from labelplane.status.checker import violations

START = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = ("check", "resolve", "fit-shard", "fit", "shard")  # steps that end before another begins
SETTINGS = Settings(job_image="registry.example/labeljob:1")


@dataclass
class World:
    """Resources, jobs, a data version, the models' indexes by home and the output's commits. Time moves when told."""

    now: datetime = START
    data_version: int = 0
    gold_version: int = 0
    build: str = "b1"
    dependent: list[DependentPair] = field(default_factory=list)
    drift: list[Shift] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    privacy: list[PrivacyFinding] = field(default_factory=list)
    quarantine: Quarantine | None = None
    key_id: str = "k1"  # of the key in the Secret
    failing: dict[str, JobReason] = field(default_factory=dict)  # step -> why it fails
    resources: dict[Key, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, tuple[str, CreateJob, ObservedJob]] = field(default_factory=dict)
    homes: dict[str, list[ModelVersion]] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    stored: int | None = 10 << 20  # bytes of the data
    auto_shards: int = 1  # what the resolve step makes of `auto`
    parts: dict[tuple[str, int], set[int]] = field(default_factory=dict)  # (run or fit, shards) -> those that are done
    labelled_parts: int = 0  # times that a part was labelled
    reduced_parts: int = 0  # times that a part was reduced for a fit
    refused: dict[tuple[str, int], JobReason] = field(default_factory=dict)  # (run or fit, shards) -> what its parts went for
    events: list[tuple[str, Event]] = field(default_factory=list)
    writes: int = 0

    @property
    def index(self) -> list[ModelVersion]:
        """Every version of every model, in the order of the homes."""
        return [one for versions in self.homes.values() for one in versions]

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """As `kubectl apply`."""
        for manifest in manifests:
            key = key_of(manifest)
            old = self.resources.get(key)
            generation = old["metadata"]["generation"] + (old["spec"] != manifest["spec"]) if old else 1
            metadata = copy.deepcopy(dict(manifest["metadata"])) | {"uid": f"uid-{key}", "generation": generation}
            status = old["status"] if old else {"observedGeneration": -1}
            self.resources[key] = copy.deepcopy(dict(manifest)) | {"metadata": metadata, "status": status}

    def annotate(self, kind: str, **annotations: str) -> None:
        self.get(kind)["metadata"].setdefault("annotations", {}).update({f"labelplane.dev/{name.replace('_', '-')}": value for name, value in annotations.items()})

    def get(self, kind: str, name: str | None = None) -> dict[str, Any]:
        return next(resource for key, resource in self.resources.items() if key.kind == kind and name in (None, key.name))

    async def observe(self, key: Key) -> Observed | None:
        resource = self.resources.get(key)
        if resource is None:
            return None
        jobs = tuple(job for owner, _, job in self.jobs.values() if owner == resource["metadata"]["uid"])
        return Observed(key, copy.deepcopy(resource), copy.deepcopy(self.resources), jobs)

    async def apply_action(self, observed: Observed, action: Action) -> None:
        if isinstance(action, CreateJob):
            job = ObservedJob(action.intent.name, f"uid-{action.intent.name}-{self.now}", action.intent.config.step, "running", self.now)
            if action.intent.completions is not None:
                job = replace(job, indexes=Indexes(action.intent.completions))
            self.jobs.setdefault(action.intent.name, (observed.resource["metadata"]["uid"], action, job))
        else:
            self.jobs.pop(action.name, None)

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> None:
        self.writes += 1
        self.resources[observed.key]["status"] = copy.deepcopy(dict(status))
        assert violations(self.resources[observed.key]) == []

    async def emit(self, observed: Observed, event: Event) -> None:
        self.events.append((observed.key.kind, event))

    def finish(self, step: str | None = None) -> int:
        """Let running jobs (of a step) end; returns how many did."""
        running = [(name, entry) for name, entry in self.jobs.items() if not entry[2].finished and step in (None, entry[2].step)]
        for name, (owner, action, job) in running:
            if job.indexes is not None and action.intent.config.step not in self.failing:
                self.finish_shards(name, job.indexes.total)
                continue
            result = self._result(action.intent.config)
            state = "failed" if result.failure else "succeeded"
            ended = replace(job, state=state, result=result, finished_at=self.now, pod_seconds=(self.now - job.created_at).total_seconds())
            if job.indexes is not None:
                ended = replace(ended, indexes=replace(job.indexes, failed=(1,)), index=1)
            self.jobs[name] = (owner, action, ended)
        return len(running)

    def finish_shards(self, name: str, count: int = 1) -> None:
        """Let so many more parts of an Indexed Job end, those first that are done already, as the job itself skips them."""
        owner, action, job = self.jobs[name]
        config = action.intent.config
        assert job.indexes is not None
        done = self.parts.setdefault(_work_of(config), set())
        for part in range(job.indexes.done, min(job.indexes.total, job.indexes.done + count)):
            self.labelled_parts += part not in done and config.shard is not None
            self.reduced_parts += part not in done and config.fit_shard is not None
            done.add(part)
            job = replace(job, indexes=replace(job.indexes, done=part + 1, rows=10 * (part + 1)))
        assert job.indexes is not None
        if job.indexes.done == job.indexes.total:
            spent = job.indexes.total * (self.now - job.created_at).total_seconds()
            job = replace(job, state="succeeded", finished_at=self.now, pod_seconds=spent)
        self.jobs[name] = (owner, action, job)

    def job_of(self, step: str) -> ObservedJob | None:
        """The newest Job of a step."""
        return next((job for _, _, job in reversed(self.jobs.values()) if job.step == step), None)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _result(self, config: JobConfig) -> JobResult:
        if config.step in self.failing:
            return self._failed(config, self.failing[config.step])
        if config.check is not None:
            digest = self._digest(config.check.function_set)
            return JobResult(build=self.build, check=CheckResult(function_set_digest=digest, function_count=len(config.check.function_set.functions), tests_passed=1))
        if config.resolve is not None:
            return JobResult(build=self.build, resolve=self._resolve(config.resolve))
        if _merges(config) and self.parts.get(_work_of(config)) != set(range(_work_of(config)[1])):
            return self._failed(config, self.refused.get(_work_of(config), JobReason.INTERNAL_ERROR))
        if config.fit is not None:
            return JobResult(build=self.build, fit=self._fit(config))
        label = config.commit.label if config.commit is not None else config.label
        assert label is not None
        return JobResult(build=self.build, label=self._label(label))

    def _failed(self, config: JobConfig, reason: JobReason) -> JobResult:
        """A step that merges parts and comes to an end that the pins decide leaves its reason in their place."""
        if _merges(config) and reason in DECIDED:
            self.parts.pop(_work_of(config), None)
            self.refused[_work_of(config)] = reason
        return JobResult(build=self.build, failure=Failure(reason=reason, message=f"{reason}: column restarts: 3 values below minimum 0"))

    def _resolve(self, task: ResolveTask) -> ResolveResult:
        version = self.data_version if task.data.version in (None, "latest") else int(task.data.version)
        newest = self._newest(task.artifacts or "")
        current = next((one for one in newest if task.pin in (None, one.version)), None) if task.artifacts else None
        return ResolveResult(
            data=DatasetPin(uri=task.data.uri, format=task.data.format, table_id="t", version=version, digest=f"data-{version}"),
            gold=DatasetPin(uri=task.gold.uri, format=task.gold.format, digest=f"gold-{self.gold_version}") if task.gold else None,
            function_set_digest=self._digest(task.function_set) if task.function_set else None,
            hash_key=self._hash_key(task.function_set) if task.function_set else None,
            versions=[VersionLine(version=one.version, fit_digest=one.fit_digest, fitted_at=one.fitted_at) for one in newest],
            current=current if current is None or not task.inputs else current.model_copy(update={"inputs": []}),
            inputs=chain_of([self._input(query) for query in task.inputs]),
            commit=self.commits[-1] if task.output and self.commits else None,
            stored=self.stored,
            shards=self.auto_shards if task.shards == "auto" else task.shards,
        )

    def _hash_key(self, function_set: FunctionSet) -> HashKeyPin | None:
        ref = function_set.schema_.hash_key_ref
        return HashKeyPin(name=ref.name, key=ref.key, id=self.key_id) if ref and function_set.schema_.hashed else None

    def _digest(self, function_set: FunctionSet) -> str:
        key = self._hash_key(function_set)
        return digest_of([function_set.canonical(), key.id if key else None])

    def _newest(self, home: str) -> list[ModelVersion]:
        return sorted(self.homes.get(home, []), key=lambda one: -one.version)

    def _input(self, query: InputQuery) -> tuple[ModelInput, list[ModelInput]]:
        found = next(one for one in self.homes[query.artifacts] if one.version == query.version)
        pin = ModelInput(name=query.name, version=found.version, digest=found.fit_digest, artifacts=query.artifacts, sha256=found.sha256, secret=query.secret)
        return pin, found.inputs

    def _fit(self, config: JobConfig) -> FitResult:
        task = config.fit
        assert task is not None
        standing = next((one for one in self.homes.get(task.artifacts, []) if one.fit_digest == task.fit_digest), None)
        made = standing or ModelVersion(
            version=task.version, start=task.start, fit_digest=task.fit_digest, sha256=f"sha-{task.fit_digest}", function_set_digest=task.function_set_digest, data=task.data,
            image=task.image, build=self.build, algorithm="majority-vote", why="asked for", iterations=1, converged=True, fitted_at=self._time(),
            metrics={"coverage": 0.95, "brier": 0.12345}, intervals={"brier": Interval(low=0.1, high=0.15)}, dependent=self.dependent, notes=self.notes,
            hash_key=task.hash_key, privacy=self.privacy,
            inputs=task.inputs, calibration=CalibrationRecord(method="temperature", gold_rows=80, why=f"{task.calibration} was asked for"),
        )  # fmt: skip
        if standing is None:
            self.homes.setdefault(task.artifacts, []).append(made)
        return FitResult(version=made, functions=FunctionColumns())

    def _label(self, task: LabelTask) -> LabelResult:
        standing = next((one for one in self.commits if one.sequence == task.sequence), None)
        assert standing is None or standing.run_digest == task.run_digest
        made = standing or Commit(
            sequence=task.sequence, run_digest=task.run_digest, run=task.run, table_id="out", version=len(self.commits),
            content_digest=digest_of([task.data.digest, task.model_sha256]),
            started_at=self._time(), finished_at=self._time(), data=task.data, model_version=task.model_version, model_sha256=task.model_sha256,
            function_set_digest="f",
            image=task.image, metrics={"rows": 10, "coverage": 0.95, "conflictRate": 0.05, "precision": None}, label_distribution={"risky": 0.3},
            drift=self.drift, privacy=self.privacy, quarantine=self.quarantine,
        )  # fmt: skip
        if standing is None:
            self.commits.append(made)
        return LabelResult(commit=made, functions=FunctionColumns())

    def _time(self) -> str:
        return self.now.isoformat(timespec="seconds")


def _work_of(config: JobConfig) -> tuple[str, int]:
    """What the parts of an Indexed Job are for: a run, or a fit."""
    if (task := config.shard or config.commit) is not None:
        return task.label.run, task.shards
    fit = config.fit_shard or config.fit
    assert fit is not None
    return fit.fit_digest, fit.parts


def _merges(config: JobConfig) -> bool:
    """Whether the step makes something of what parts left."""
    return config.commit is not None or (config.fit is not None and config.fit.parts > 1)


class Adapter:
    """The `Cluster` protocol over a World (its `apply` is the user's)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.observe, self.write_status, self.emit, self.apply = world.observe, world.write_status, world.emit, world.apply_action


async def once(world: World) -> bool:
    """Reconcile every resource once; whether anything changed."""
    changed = False
    for key in list(world.resources):
        done = await reconcile(Adapter(world), key, now=world.now, settings=SETTINGS)
        changed |= done.changed or done.requeue_after == 0
    return changed


async def settle(world: World, *, rounds: int = 60) -> None:
    """Reconcile and let jobs end until nothing moves any more."""
    for _ in range(rounds):
        if not await once(world) and not world.finish():
            return
    raise AssertionError("it does not come to rest")


async def until(world: World, step: str, *, rounds: int = 60) -> ObservedJob:
    """Go on until a Job of this step runs, and let those before it end."""
    for _ in range(rounds):
        await once(world)
        job = world.job_of(step)
        if job is not None and not job.finished:
            return job
        for earlier in EARLIER:
            if earlier != step:
                world.finish(earlier)
    raise AssertionError(f"no {step} Job")


def condition(resource: Mapping[str, Any], kind: str = "Ready") -> dict[str, Any]:
    """A condition of the resource; empty when it is absent."""
    return next((one for one in resource["status"].get("conditions", []) if one["type"] == kind), {})
