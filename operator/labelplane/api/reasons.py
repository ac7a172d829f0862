"""Every reason a condition or an Event may give, and every condition type."""

from enum import StrEnum

from labeljob.contract.reasons import JobReason


class ConditionType(StrEnum):
    """Condition types. All but Ready are abnormal-true or progress, and absent when they do not apply."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SCHEMA_BROKEN = "SchemaBroken"
    FUNCTIONS_FAILING = "FunctionsFailing"
    PIN_BROKEN = "PinBroken"
    COVERAGE_LOW = "CoverageLow"
    CONFLICT_HIGH = "ConflictHigh"
    FUNCTIONS_DEPENDENT = "FunctionsDependent"
    VOTES_ADVERSARIAL = "VotesAdversarial"
    FUNCTION_DOMINANT = "FunctionDominant"
    DRIFTED = "Drifted"
    PRIVACY_SUSPECTED = "PrivacySuspected"
    ROWS_QUARANTINED = "RowsQuarantined"


class ControlReason(StrEnum):
    """Reasons that the operator itself gives; the job's own are `JobReason`."""

    INVALID_SPEC = "InvalidSpec"
    PROGRESSING = "Progressing"  # accepted, work not started
    CHECKING = "Checking"
    RESOLVING = "Resolving"
    FITTING = "Fitting"
    LABELING = "Labeling"
    COMMITTING = "Committing"  # the shards of a run become one version
    CHECKED = "Checked"  # the set is ready
    FITTED = "Fitted"  # the model has a current version
    LABELED = "Labeled"  # the output stands
    SUSPENDED = "Suspended"
    FUNCTION_SET_NOT_FOUND = "FunctionSetNotFound"
    FUNCTION_SET_NOT_READY = "FunctionSetNotReady"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_NOT_READY = "ModelNotReady"
    INPUT_CYCLE = "InputCycle"  # a model votes, through its inputs, in itself
    MODEL_VERSION_NOT_FOUND = "ModelVersionNotFound"
    JOB_FAILED = "JobFailed"  # retries are used up
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CRASH_LOOP = "CrashLoop"
    OUT_OF_MEMORY = "OutOfMemory"
    UNSCHEDULABLE = "Unschedulable"
    POD_NOT_STARTING = "PodNotStarting"
    VOLUME_NOT_SHAREABLE = "VolumeNotShareable"  # another pod, or another node, has a claim that only one can have
    EVICTED = "Evicted"  # the node was short of memory or disk, or the pod took more disk than it may
    JOB_DELETED = "JobDeleted"  # event: somebody deleted a Job of ours, or its pod before the result was read
    JOB_EDITED = "JobEdited"  # event: somebody edited a Job of ours
    QUOTA_EXCEEDED = "QuotaExceeded"
    FORBIDDEN = "Forbidden"  # the API server refused an object we need
    NAME_CONFLICT = "NameConflict"  # an object of the wanted name belongs to somebody else
    COVERAGE_LOW = "CoverageLow"
    CONFLICT_HIGH = "ConflictHigh"
    FUNCTIONS_DEPENDENT = "FunctionsDependent"
    VOTES_ADVERSARIAL = "VotesAdversarial"
    FUNCTION_DOMINANT = "FunctionDominant"
    DRIFTED = "Drifted"
    PRIVACY_SUSPECTED = "PrivacySuspected"
    ROWS_QUARANTINED = "RowsQuarantined"


REASONS: frozenset[str] = frozenset(ControlReason) | frozenset(JobReason)
