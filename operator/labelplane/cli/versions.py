"""`labelplane diff` and `labelplane rollback`: the versions of a LabelJob's output, compared and restored by the job's own code."""

from pathlib import Path
from typing import Any, Literal

from labeljob.contract.config import Mount
from labeljob.contract.versions import VersionsRequest
from labelplane.api.names import app_id
from labelplane.cli.reading import access_of, artifacts_of, ask, labelled_job, model_of, other_homes
from labelplane.cli.workspace import known_folders

Resource = dict[str, Any]


def diff(root: Path, job: str | None, before: int, after: int) -> Resource:
    """What changed from one version to another. Raises ManifestError."""
    chosen = labelled_job(root, job)
    return ask("labeljob.versions", _request(root, chosen, "diff", version=after, before=before))


def rollback(root: Path, job: str | None, version: int) -> Resource:
    """Restore a version as a new one. Raises ManifestError."""
    chosen = labelled_job(root, job)
    return ask("labeljob.versions", _request(root, chosen, "rollback", version=version))


def _request(root: Path, job: Resource, action: Literal["diff", "rollback"], *, version: int, before: int | None = None) -> VersionsRequest:
    metadata, model = job["metadata"], model_of(root, job)
    others = other_homes(root, job, model)
    return VersionsRequest(
        action=action,
        job=metadata["name"],
        mounts=tuple(Mount(prefix=prefix, path=str(path)) for prefix, path in known_folders(root).items()),
        access=access_of(job, model, *others),
        output=job["status"]["run"]["output"]["uri"],
        app_id=app_id(metadata.get("namespace", "default"), metadata["name"]),
        artifacts=artifacts_of(job, model),
        other_artifacts=tuple(one.uri for _, one in others),
        before=before,
        version=version,
    )
