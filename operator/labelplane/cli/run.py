"""`labelplane run`: reconcile every resource until each is Ready, Stalled or suspended."""

import asyncio
import json
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from labelplane.api.groups import Key
from labelplane.cli.manifests import ManifestError, load
from labelplane.cli.progress import bars, show
from labelplane.cli.python_modules import code_digest
from labelplane.cli.reading import report
from labelplane.cli.tables import conditions_table, quality_table
from labelplane.cli.workspace import open_cluster, resources, state_folder
from labelplane.cluster.local import LocalCluster
from labelplane.cluster.local_jobs import LocalJobs
from labelplane.reconcile import reconcile
from labelplane.settings import Settings

SETTINGS = Settings(job_image="local", local=True)
LOOK_SECONDS = 0.05
STALLED = 1


def run(directory: Path, state: Path | None, volumes: Iterable[str], secrets: Iterable[str] = (), *, as_json: bool, draw: bool) -> int:
    """Run the manifests of a folder, and with `draw` a report of each LabelJob; returns the exit code. Raises ManifestError."""
    progress = Console(stderr=True, highlight=False)
    loaded = load([str(directory)])
    for note in loaded.ignored:
        progress.print(f"note: {note}")
    cluster, keys = open_cluster(directory, state, loaded, volumes, secrets)
    try:
        with bars(progress) as shown:
            asyncio.run(_settle(cluster, keys, shown, replace(SETTINGS, code=code_digest(loaded.resources, loaded.folder))))
    finally:
        cluster.jobs.stop()
    found = resources(cluster, keys)
    pages = _reports(found, state_folder(directory, state), progress) if draw else []
    if as_json:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, indent=2))
    else:
        _show(found, cluster)
        for page in pages:
            print(f"report: {page}")
    return STALLED if any(_settled(resource) == "stalled" for resource in found) else 0


async def _settle(cluster: LocalCluster, keys: list[Key], progress: Progress, settings: Settings) -> None:
    """One pass after the other, until nothing changes, nothing runs and every result is read."""
    seen: dict[Key, str] = {}
    while True:
        ran, busy, due = cluster.jobs.running(), False, math.inf  # what ends during a pass may be read only by the next
        for key in keys:
            done = await reconcile(cluster, key, now=datetime.now(UTC), settings=settings)
            busy |= done.changed or done.requeue_after == 0
            due = min(due, math.inf if done.requeue_after is None else done.requeue_after)
            _tell(cluster, key, seen, progress.console)
        show(progress, cluster.jobs.progress())
        if not (ran or busy or cluster.jobs.running()):
            return
        if not busy:
            await until_one_ends(cluster.jobs, ran, due, progress)


async def until_one_ends(jobs: LocalJobs, ran: frozenset[str], seconds: float, progress: Progress) -> None:
    """Show how far the jobs are until one of those that run, or of `ran`, has ended, and at most so long: before, there is nothing to decide."""
    ran, until = ran | jobs.running(), time.monotonic() + seconds
    while ran <= jobs.running() and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        show(progress, jobs.progress())


def _settled(resource: dict[str, Any]) -> str | None:
    """ready, stalled or suspended; a resource that waits for what is not there is stalled here, where nobody else will bring it."""
    if _condition(resource, "Suspended"):
        return "suspended"
    ready = _condition(resource, "Ready")
    if ready.get("status") == "True" and not _condition(resource, "Running"):
        return "ready"
    return "stalled" if ready.get("status") == "False" else None


def _condition(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = (resource.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def _tell(cluster: LocalCluster, key: Key, seen: dict[Key, str], progress: Console) -> None:
    resource = cluster.store.get(key) or {}
    shown = _condition(resource, "Running") or _condition(resource, "Ready")
    shards = ((resource.get("status") or {}).get("progress") or {}).get("completed")
    text = f"{shown.get('reason', '')}: {shown.get('message', '')}" + (f" {shards} shards" if shards else "")
    if seen.get(key) != text:
        seen[key] = text
        progress.print(f"{datetime.now(UTC):%H:%M:%S}  {key.kind:20} {key.name:20} {text}", markup=False, soft_wrap=True)


def _reports(found: list[dict[str, Any]], root: Path, progress: Console) -> list[Path]:
    """A page for each LabelJob of these that has labelled, drawn unless it is there; the labels stand, whether or not one can be drawn of them."""
    pages: list[Path] = []
    for name in (one["metadata"]["name"] for one in found if (one.get("status") or {}).get("run")):
        try:
            pages += report(root, name, None, keep=True).values()
        except ManifestError as error:
            progress.print(f"note: no report of {name}: {error}", markup=False, soft_wrap=True)
    return pages


def _show(found: list[dict[str, Any]], cluster: LocalCluster) -> None:
    console = Console()
    console.print(conditions_table(found))
    quality = quality_table(found)
    if quality is not None:
        console.print(quality)
    for resource in found:
        run_ = (resource.get("status") or {}).get("run")
        if run_:
            console.print(f"labels: version {run_['output']['version']} of {_path(cluster, run_['output']['uri'])}", markup=False, soft_wrap=True)


def _path(cluster: LocalCluster, uri: str) -> str:
    if uri.startswith(("file:", "s3://")):
        return uri
    claim, _, rest = uri.removeprefix("pvc://").partition("/")
    return str(cluster.jobs.folders[f"pvc://{claim}"] / rest)
