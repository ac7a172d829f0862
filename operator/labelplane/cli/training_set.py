"""`labelplane features`: a training set of a version of a LabelJob's output, joined and written by the job's own code."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console

from labeljob.contract.config import Access, Mount
from labeljob.contract.features import Features, FeaturesRequest
from labeljob.contract.yaml_text import documents
from labelplane.api.names import app_id
from labelplane.api.parse import field_path, parse_label_job
from labelplane.api.wording import said
from labelplane.cli.manifests import ManifestError
from labelplane.cli.reading import access_of, artifacts_of, ask, labelled_job, model_of, models_of, moved, other_homes
from labelplane.cli.workspace import claims, known_folders, secret_folders
from labelplane.plan.access import access_to

Resource = dict[str, Any]
URI = re.compile(r"^(pvc|s3|configmap)://|^file:")
NAMES_ITS_FIELD = re.compile(r"^(tables|features|time|secretRef)\b")


def write_training_set(
    root: Path, job: str | None, target: str, wanted: Path | None, *, version: int | None, uncovered: bool, form: str, volumes: Iterable[str], secrets: Iterable[str],
    target_secret: str | None = None,
) -> Resource:  # fmt: skip
    """Write a training set to `target`, a path or a URI; what it was made of. Raises ManifestError."""
    asked = request_of(root, job, target, wanted, version=version, uncovered=uncovered, form=form, volumes=volumes, secrets=secrets, target_secret=target_secret)
    return ask("labeljob.features", asked)


def request_of(
    root: Path, job: str | None, target: str, wanted: Path | None, *, version: int | None, uncovered: bool, form: str, volumes: Iterable[str], secrets: Iterable[str],
    target_secret: str | None,
) -> FeaturesRequest:  # fmt: skip
    """What the job's code is asked for."""
    if form not in ("parquet", "delta"):
        raise ManifestError(f"--format {form}: use parquet or delta")
    chosen, features = labelled_job(root, job), Features() if wanted is None else read_features(wanted)
    metadata, model = chosen["metadata"], model_of(root, chosen)
    others = other_homes(root, chosen, model)
    access = access_of(chosen, model, *others)
    folders, spec = known_folders(root) | claims(volumes) | secret_folders(secrets), parse_label_job(chosen).spec
    to = Access(uri=target, field="--target-secret", secret=target_secret)
    tables = ((f"tables[{place}].data", table.data) for place, table in enumerate(features.tables))
    return FeaturesRequest(
        job=metadata["name"],
        mounts=tuple(Mount(prefix=prefix, path=str(path)) for prefix, path in folders.items()),
        access=access_to(("spec.input", spec.input), *tables, more=(to, moved("spec.input", spec.input, chosen["status"]["run"]["input"]["uri"]), *access)),
        output=chosen["status"]["run"]["output"]["uri"],
        app_id=app_id(metadata.get("namespace", "default"), metadata["name"]),
        artifacts=artifacts_of(chosen, model),
        other_artifacts=tuple(one.uri for _, one in others),
        version=version,
        gold_columns=tuple(dict.fromkeys(_gold_columns([chosen, *models_of(root, chosen)]))),
        uncovered=uncovered,
        features=features,
        target=target if URI.match(target) else f"file://{Path(target).absolute()}",
        format=form,
    )


def read_features(file: Path) -> Features:
    """What a file asks for. Raises ManifestError with every field that is wrong."""
    try:
        found = list(documents(file.read_text(encoding="utf-8")))
        return Features.model_validate(found[0] if len(found) == 1 else found, strict=True)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ManifestError(f"{file}: it is not YAML{f', at line {mark.line + 1}' if mark else ''}: correct it") from None
    except ValidationError as error:
        raise ManifestError(f"{file}: {'; '.join(_described(error))}") from None


def show_training_set(found: Mapping[str, Any], console: Console) -> None:
    """What was written, of what, and what was left out."""
    about = found["provenance"]
    at = f" (version {found['version']})" if "version" in found else ""
    lines = [
        f"{about['labelJob']}: {about['rows']} rows, {len(found['schema'])} columns in {found['target'].removeprefix('file://')}{at}",
        f"labels of version {about['output']['version']} (run {about['run']}, model version {about['model']['version']}), columns of {_state(about['input'])}",
        *(f"{table['name']}: {table['rowsWithRecord']} rows have a record of {_state(table['data'])}" for table in about["tables"]),
        *([f"left out: {', '.join(f'{name} ({why})' for name, why in about['leftOut'].items())}"] if about["leftOut"] else []),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _state(pin: Mapping[str, Any]) -> str:
    return f"{pin['uri']} {'version ' + str(pin['version']) if 'version' in pin else pin['digest'][:10]}"


def _gold_columns(resources: Iterable[Resource]) -> Iterable[str]:
    """Columns that tell the class, or how rows were drawn to have one told; of all models, as an earlier version may be another's."""
    for resource in resources:
        gold = resource["spec"].get("goldData") or {}
        yield from (gold[key] for key in ("labelColumn", "inclusionProbabilityColumn") if key in gold)


def _described(error: ValidationError) -> Iterable[str]:
    for one in error.errors(include_input=False, include_url=False):
        path, text = field_path(one["loc"]), said(one)
        yield f"{path}{'.' if NAMES_ITS_FIELD.match(text) else ': '}{text}" if path else text
