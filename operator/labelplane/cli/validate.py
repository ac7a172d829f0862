"""`labelplane validate` and `labelplane test`: offline, all that the API server and the check Job would say."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from labeljob.contract.config import CheckTask, JobConfig, Mount, Owner
from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.groups import FUNCTION_SET, LABEL_JOB, LABEL_MODEL
from labelplane.api.label_job import LabelJob
from labelplane.api.label_model import LabelModel
from labelplane.api.parse import parse_function_set, problems_of
from labelplane.cli.manifests import Loaded, Manifest
from labelplane.cluster.local_jobs import run_once
from labelplane.plan.function_set import functions_of

MODELS: dict[str, type[BaseModel]] = {FUNCTION_SET.kind: LabelingFunctionSet, LABEL_MODEL.kind: LabelModel, LABEL_JOB.kind: LabelJob}


def problems_in(manifest: Manifest, loaded: Loaded | None = None) -> list[str]:
    """What is wrong with one manifest, with the fields' paths; a set is checked by the job's own code once its shape is right."""
    found = problems_of(manifest, MODELS[manifest["kind"]])
    if found or manifest["kind"] != FUNCTION_SET.kind:
        return found
    return check(manifest, loaded or Loaded())


def check(manifest: Manifest, loaded: Loaded) -> list[str]:
    """What the check Job says of a set: functions, lookup tables that are at hand, and tests."""
    metadata = manifest["metadata"]
    functions = functions_of(parse_function_set(manifest))
    with tempfile.TemporaryDirectory() as scratch:
        mounts = tuple(_mounts(Path(scratch), loaded))
        owner = Owner(kind=FUNCTION_SET.kind, namespace=metadata.get("namespace", "default"), name=metadata["name"])
        config = JobConfig(step="check", owner=owner, mounts=mounts, check=CheckTask(function_set=functions))
        failure = run_once(config, Path(scratch) / "job").failure
    return [] if failure is None else [f"{failure.reason}: {failure.message}"]


def _mounts(scratch: Path, loaded: Loaded) -> Iterable[Mount]:
    for name, content in loaded.config_maps.items():
        folder = scratch / "configmaps" / name
        folder.mkdir(parents=True)
        for key, value in content.items():
            (folder / Path(key).name).write_bytes(value)
        yield Mount(prefix=f"configmap://{name}", path=str(folder))
