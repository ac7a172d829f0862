"""The version that a fit starts from (`parameters.startFrom`): where EM begins, never what it ends with. See ADR 13."""

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import FitTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import FitNote, JobReason
from labeljob.errors import JobError
from labeljob.label_model import FittedLabelModel
from labeljob.model_artifact import from_files


def start_of(task: FitTask, home: ArtifactHome) -> tuple[FittedLabelModel | None, list[str]]:
    """(the earlier version's model, or None to start afresh; a note when it was asked for and cannot serve).

    Raises:
        JobError: MODEL_MISMATCH: the version is gone, is another fit than was pinned, or this build cannot read it.
    """
    if task.start is None:
        return None, []
    pinned = task.start
    record = next((one for one in home.versions() if one.version == pinned.version), None)
    if record is None or record.fit_digest != pinned.fit_digest:
        message = f"{task.artifacts}: version {pinned.version} is not the one that was pinned to start from: restore it, or remove parameters.startFrom"
        raise JobError(JobReason.MODEL_MISMATCH, message)
    artifact = from_files(home.load(record.version, record.sha256), task.artifacts)
    if _voters(artifact.function_set) == _voters(task.function_set):
        return artifact.model, []
    text = f"parameters.startFrom: version {pinned.version} was fitted with other functions or classes, so this fit started afresh"
    return None, [f"{FitNote.START_IGNORED}: {text}"]


def _voters(function_set: FunctionSet) -> tuple[list[str], list[str]]:
    """(classes, names of the functions that the model weighs), in order."""
    return list(function_set.classes), [function.name for function in function_set.enabled_functions if not function.is_fallback]
