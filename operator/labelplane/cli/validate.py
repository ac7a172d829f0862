"""`labelplane validate` and `labelplane test`: offline, all that the API server and the check Job would say."""

import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from labeljob.contract.config import CheckTask, JobConfig, Mount, Owner
from labeljob.contract.digests import canonical_json
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import CheckResult, JobResult
from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.groups import FUNCTION_SET, LABEL_JOB, LABEL_MODEL
from labelplane.api.label_job import LabelJob
from labelplane.api.label_model import LabelModel
from labelplane.api.named import input_cycle, input_names
from labelplane.api.parse import parse_function_set, parse_label_model, problems_of
from labelplane.cli.manifests import Loaded, Manifest
from labelplane.cli.python_modules import is_at_hand
from labelplane.cli.workspace import uris_in
from labelplane.cluster.local_jobs import prefix_of, run_once
from labelplane.plan.access import access_to_lookups
from labelplane.plan.function_set import functions_of
from labelplane.plan.inputs import cycle_text
from labelplane.plan.multi_label import multi_label_problem
from labelplane.plan.privacy import secrets_of

MODELS: dict[str, type[BaseModel]] = {FUNCTION_SET.kind: LabelingFunctionSet, LABEL_MODEL.kind: LabelModel, LABEL_JOB.kind: LabelJob}
MOST_BYTES = 3 << 19  # 1.5 MiB: etcd refuses a larger request, and the API server passes that on
KEY_BYTES = 32
LAPTOP_ONLY = "file: uris work with labelplane run only; a cluster refuses them"


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a resource; what could not be looked at from here; what the check of a set found."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checked: CheckResult | None = None


def verdict_on(manifest: Manifest, loaded: Loaded | None = None, volumes: Mapping[str, Path] | None = None) -> Verdict:
    """All that can be said of one manifest, with the fields' paths; a set is checked by the job's own code once its shape is right.

    Args:
        manifest: a resource of ours.
        loaded: what was read with it: its ConfigMaps, and the folder of file: uris.
        volumes: a claim's prefix (`pvc://claim`) -> folder.
    """
    found = _too_large(manifest) or problems_of(manifest, MODELS[manifest["kind"]])
    notes = (LAPTOP_ONLY,) if any(uri.startswith("file:") for uri in uris_in(manifest.get("spec"))) else ()
    if not found and manifest["kind"] == LABEL_MODEL.kind:
        found = _cycle(manifest, loaded or Loaded()) + _with_its_set(manifest, loaded or Loaded())
    if found or manifest["kind"] != FUNCTION_SET.kind:
        return Verdict(tuple(found), notes)
    checked = _check(manifest, loaded or Loaded(), volumes or {})
    return Verdict(checked.problems, notes + checked.notes, checked.checked)


def _cycle(manifest: Manifest, loaded: Loaded) -> list[str]:
    """That the model votes in itself, through the models at hand; models that are elsewhere are looked at in the cluster."""
    here = _namespace(manifest)
    models = [one for one in (*loaded.resources, manifest) if one["kind"] == LABEL_MODEL.kind and _namespace(one) == here]
    cycle = input_cycle(manifest["metadata"]["name"], {one["metadata"]["name"]: input_names(one) for one in models})
    return [] if cycle is None else [cycle_text(cycle)]


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace", "default"))


def _with_its_set(manifest: Manifest, loaded: Loaded) -> list[str]:
    """What does not go with the set that the model names, where that was read with it and is right itself."""
    model = parse_label_model(manifest)
    for one in loaded.resources:
        same = one["metadata"].get("name") == model.spec.function_set_ref.name and one["metadata"].get("namespace") == manifest["metadata"].get("namespace")
        if one["kind"] == FUNCTION_SET.kind and same and not problems_of(one, LabelingFunctionSet):
            problem = multi_label_problem(model, parse_function_set(one))
            return [problem] if problem else []
    return []


def _too_large(manifest: Manifest) -> list[str]:
    size = len(canonical_json(manifest))
    if size <= MOST_BYTES:
        return []
    return [f"spec: the resource has {size / (1 << 20):.1f} MiB as JSON, and an API server keeps at most 1.5 MiB: move long word lists into a lookup table"]


def _check(manifest: Manifest, loaded: Loaded, volumes: Mapping[str, Path]) -> Verdict:
    """What the check Job says of a set. A lookup table or module that is not at hand stops neither its checks nor the other functions' tests."""
    functions = functions_of(parse_function_set(manifest))
    with tempfile.TemporaryDirectory() as scratch:
        mounts = (*_mounts(Path(scratch), loaded, volumes), *_any_key(Path(scratch), functions))
        there = {mount.prefix for mount in mounts}
        away = {f.name: f.lookup.table.uri for f in functions.enabled_functions if f.lookup and prefix_of(f.lookup.table.uri) not in there}
        elsewhere = {f.name: f.python.entrypoint for f in functions.enabled_functions if f.python and not is_at_hand(f.python.entrypoint, loaded.folder)}
        if elsewhere and (functions.is_multi_label or all(f.is_fallback or f.name in elsewhere for f in functions.enabled_functions)):
            return Verdict(notes=tuple(_elsewhere(elsewhere)))  # what is left would be no set
        functions = _without(functions, elsewhere)
        result = _run(manifest, functions, mounts, Path(scratch) / "job", loaded.folder)
        missing = away and result.failure is not None and result.failure.reason in (JobReason.SOURCE_NOT_FOUND, JobReason.SECRET_INVALID)
        if missing and len(away) < len(functions.enabled_functions):
            result = _run(manifest, _without(functions, away), mounts, Path(scratch) / "rest", loaded.folder)
        elif missing:
            result = JobResult(build=result.build)
    notes = (*(f"the table {uri} of function {name} is not at hand: it is checked in the cluster" for name, uri in away.items()), *_elsewhere(elsewhere))
    if result.failure is not None:
        return Verdict((f"{result.failure.reason}: {result.failure.message}",), notes)
    return Verdict(notes=notes, checked=result.check)


def _elsewhere(functions: Mapping[str, str]) -> Iterable[str]:
    return (f"the module of {entrypoint} of function {name} is not at hand: it is checked in the cluster" for name, entrypoint in functions.items())


def _run(manifest: Manifest, functions: FunctionSet, mounts: tuple[Mount, ...], folder: Path, at: Path) -> JobResult:
    metadata = manifest["metadata"]
    owner = Owner(kind=FUNCTION_SET.kind, namespace=metadata.get("namespace", "default"), name=metadata["name"])
    access = tuple(access_to_lookups(functions))
    return run_once(JobConfig(step="check", owner=owner, mounts=mounts, access=access, check=CheckTask(function_set=functions)), folder, at)


def _without(functions: FunctionSet, names: Iterable[str]) -> FunctionSet:
    """The set with these functions switched off."""
    out = set(names)
    return functions.model_copy(update={"functions": [f.model_copy(update={"enabled": False}) if f.name in out else f for f in functions.functions]})


def _mounts(scratch: Path, loaded: Loaded, volumes: Mapping[str, Path]) -> Iterable[Mount]:
    for name, content in loaded.config_maps.items():
        folder = scratch / "configmaps" / name
        folder.mkdir(parents=True)
        for key, value in content.items():
            (folder / Path(key).name).write_bytes(value)
        yield Mount(prefix=f"configmap://{name}", path=str(folder))
    for prefix, path in volumes.items():
        yield Mount(prefix=prefix, path=str(path))
    yield Mount(prefix="file:", path=str(loaded.folder.absolute()))


def _any_key(scratch: Path, functions: FunctionSet) -> Iterable[Mount]:
    """A key for hashed columns that is used once: tables and tests are hashed alike, so functions vote the same with any key."""
    for ref in secrets_of(functions):
        folder = scratch / "secret"
        folder.mkdir()
        (folder / ref.key).write_bytes(secrets.token_bytes(KEY_BYTES))
        yield Mount(prefix=f"secret://{ref.name}", path=str(folder))
