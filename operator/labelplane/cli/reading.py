"""`labelplane explain` and `labelplane report`: questions about the last run, answered by the job's own code in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from labeljob.build import build_digest
from labeljob.contract.base import Wire
from labeljob.contract.config import Access, Mount
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.contract.inputs import ModelInput
from labeljob.contract.reading import ReadingRequest
from labelplane.api.groups import LABEL_JOB, LABEL_MODEL
from labelplane.api.parse import parse_label_job, parse_label_model
from labelplane.cli.manifests import ManifestError
from labelplane.cli.workspace import known_folders
from labelplane.cluster.local_store import LocalStore
from labelplane.errors import Stalled
from labelplane.plan.access import Opened, access_to, access_to_inputs, home_of

Resource = dict[str, Any]
HEAD = 1000  # characters of a page, its mark among them


def explain(root: Path, job: str | None, row_id: str) -> Resource:
    """The votes, weights and posterior of one row. Raises ManifestError when there is no such run or row."""
    return _answer(request_of(root, labelled_job(root, job)).model_copy(update={"question": "explain", "row_id": row_id}))


def report(root: Path, job: str | None, page: Path | None, *, keep: bool = False) -> dict[str, Path]:
    """Write a page for the named LabelJob, or for each; returns their paths by name. Raises ManifestError when nothing has been labelled.

    With `keep`, a page stays that this build has drawn of the very same request.
    """
    chosen = [labelled_job(root, job)] if job or page else _labelled(root)
    if not chosen:
        raise _nothing_labelled(root)
    pages = {}
    for one in chosen:
        name = one["metadata"]["name"]
        pages[name] = (page or root / "reports" / f"{name}.html").absolute()
        request = request_of(root, one).model_copy(update={"page": str(pages[name])})
        request = request.model_copy(update={"mark": digest_of({"request": request.wire(), "build": build_digest()})})
        if not (keep and _is_drawn(pages[name], str(request.mark))):
            _answer(request)
    return pages


def _is_drawn(page: Path, mark: str) -> bool:
    """Whether the page has this mark in its head, where `labeljob.reading` writes it."""
    if not page.is_file():
        return False
    with page.open(encoding="utf-8", errors="replace") as file:
        return f'content="{mark}"' in file.read(HEAD)


def labelled_job(root: Path, name: str | None) -> Resource:
    """The LabelJob of this name that has labelled, or the only one. Raises ManifestError."""
    found = [one for one in _labelled(root) if name in (None, one["metadata"]["name"])]
    if not found and name:
        raise ManifestError(f"LabelJob {name} has labelled nothing here: labelplane status shows what is there")
    if not found:
        raise _nothing_labelled(root)
    if len(found) > 1:
        names = ", ".join(sorted(one["metadata"]["name"] for one in found))
        raise ManifestError(f"several LabelJobs have labelled here ({names}): name one with --job")
    return found[0]


def _labelled(root: Path) -> list[Resource]:
    stored = LocalStore(root).all() if root.exists() else ()
    return [one for one in stored if one["kind"] == LABEL_JOB.kind and (one.get("status") or {}).get("run")]


def _nothing_labelled(root: Path) -> ManifestError:
    return ManifestError(f"{root}: no LabelJob has labelled anything here: labelplane run, and look at its conditions")


def request_of(root: Path, job: Resource) -> ReadingRequest:
    """What to read, from status alone: the pins of the run, and the model version as its LabelModel remembers it."""
    status, metadata = job["status"], job["metadata"]
    run, model = status["run"], model_of(root, job)
    named = job["spec"].get("goldData") or {}  # nothing where gold was taken out of the manifest since: nobody says any more which column it is in
    gold = _own_pins(job).get("goldData") if named else None
    current = (model.get("status") or {}).get("current") or {}
    about = current if current.get("version") == run["model"]["version"] else {}
    return ReadingRequest(
        question="report",
        job=metadata["name"],
        mounts=tuple(Mount(prefix=prefix, path=str(path)) for prefix, path in known_folders(root).items()),
        access=access_of(job, model),
        output=run["output"]["uri"],
        output_version=run["output"]["version"],
        run=f"{metadata['name']}-{run['digest'][:10]}-{run['sequence']}",
        artifacts=artifacts_of(job, model),
        model_name=run["model"]["name"],
        model_version=run["model"]["version"],
        model_sha256=run["model"]["digest"],
        algorithm=about.get("algorithm"),
        why=about.get("why"),
        calibration_why=(about.get("calibration") or {}).get("why"),
        data=DatasetPin.model_validate(run["input"]),
        gold=DatasetPin.model_validate(gold) if gold else None,
        gold_label_column=named["labelColumn"] if gold else None,
        gold_probability_column=named.get("inclusionProbabilityColumn") if gold else None,
    )


def _own_pins(job: Resource) -> Resource:
    """What is pinned beside the last run; nothing where the pins are of another run already, whose gold and model are not this one's."""
    pins: Resource = job["status"].get("pins") or {}
    return pins if pins.get("sequence") == job["status"]["run"]["sequence"] else {}


def artifacts_of(job: Resource, model: Resource) -> str:
    """The home of the model's versions, as the last run had it."""
    return str(_own_pins(job).get("modelArtifacts") or model["spec"]["artifacts"]["uri"])


def access_of(job: Resource, model: Resource, *homes: tuple[str, Opened]) -> tuple[Access, ...]:
    """With which Secret each URI is reached, as the resources name them now; what the last run had elsewhere, with the Secret of the same field.

    `homes`: of other models, which are reached, too.

    Raises ManifestError when the manifests were broken since.
    """
    try:
        spec, home = parse_label_job(job).spec, home_of(parse_label_model(model))
    except Stalled as error:
        raise ManifestError(f"LabelJob {job['metadata']['name']} or its LabelModel: {error.message}") from None
    inputs = [ModelInput.model_validate(one) for one in job["status"]["run"].get("inputs", [])]
    named: list[tuple[str, Opened | None]] = [("spec.output", spec.output), ("spec.goldData", spec.gold_data), home]
    had = (job["status"]["run"]["output"]["uri"], (_own_pins(job).get("goldData") or {}).get("uri"), artifacts_of(job, model))
    elsewhere = [moved(field, one, uri) for (field, one), uri in zip(named, had, strict=True) if one is not None and uri is not None]
    return access_to(*named, *homes, more=[*elsewhere, *access_to_inputs(inputs)])


def moved(field: str, one: Opened, uri: str) -> Access:
    """What a field named earlier is reached with its Secret of now."""
    return Access(uri=uri, field=field, secret=one.secret_ref.name if one.secret_ref else None)


def model_of(root: Path, job: Resource) -> Resource:
    """The LabelModel whose version a LabelJob labelled with. Raises ManifestError."""
    name = job["status"]["run"]["model"]["name"]
    found = next((one for one in models_of(root, job) if one["metadata"]["name"] == name), None)
    if found is None:
        raise ManifestError(f"LabelModel {name} is not here any more: labelplane run the manifests again")
    return found


def other_homes(root: Path, job: Resource, model: Resource) -> list[tuple[str, Opened]]:
    """Where the versions of the namespace's other LabelModels are; of those whose manifests are whole."""
    found = []
    for one in models_of(root, job):
        with suppress(Stalled):
            if one["metadata"]["name"] != model["metadata"]["name"]:
                found.append(home_of(parse_label_model(one)))
    return found


def models_of(root: Path, job: Resource) -> list[Resource]:
    """The LabelModels of the LabelJob's namespace."""
    namespace = job["metadata"].get("namespace", "default")
    return [one for one in LocalStore(root).all() if one["kind"] == LABEL_MODEL.kind and one["metadata"].get("namespace", "default") == namespace]


def _answer(request: ReadingRequest) -> Resource:
    return ask("labeljob.reading", request)


def ask(module: str, request: Wire) -> Resource:
    """The answer of the job's code, in a process of its own. Raises ManifestError with its message when it refuses."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "request.json"
        file.write_bytes(canonical_json(request.wire()))
        done = subprocess.run([sys.executable, "-m", module, "--request", str(file)], capture_output=True, text=True, check=False)
    try:
        answer: Resource = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise ManifestError(f"{module} gave no answer: {_ended(done.returncode, done.stderr)}") from None
    if "error" in answer:
        raise ManifestError(str(answer["error"]))
    return answer


def _ended(code: int, said: str) -> str:
    """How the process ended, with the type of its last error and nothing of its words, which may quote a row."""
    if code < 0:
        memory = ", as the kernel does where memory runs out: give it more, or close other programs" if -code == signal.SIGKILL else ""
        return f"it was ended by {signal.Signals(-code).name}{memory}"
    lines = said.strip().splitlines()
    error = re.match(r"([A-Za-z_.]*(Error|Exception))(:|$)", lines[-1]) if lines else None
    return f"exit code {code}, {error.group(1) if error else 'and it said nothing of why'}: see that the package labeljob is installed whole"
