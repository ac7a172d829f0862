"""Why a job stopped. Each reason has one exit code, which tells Kubernetes whether a retry can help."""

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of a job pod (after sysexits.h). Only TRANSIENT, and a kill, are worth a retry."""

    OK = 0
    BAD_SPEC = 64
    BAD_DATA = 65
    NO_ROOM = 74
    TRANSIENT = 75


class JobReason(StrEnum):
    """Reasons a job gives; each appears as it is on a condition and an Event."""

    FUNCTIONS_INVALID = "FunctionsInvalid"  # a column, pattern, SQL text, vote map or label cannot work
    FUNCTION_TESTS_FAILED = "FunctionTestsFailed"
    LOOKUP_INVALID = "LookupInvalid"  # conflicting keys, unknown class, missing column
    SOURCE_NOT_FOUND = "SourceNotFound"  # no such claim folder, file, ConfigMap or key
    SOURCE_UNREADABLE = "SourceUnreadable"  # wrong format, truncated file
    HASH_KEY_INVALID = "HashKeyInvalid"  # the Secret or its key is missing, or has too few bytes
    HASH_KEY_CHANGED = "HashKeyChanged"  # it is not the key that values were hashed with
    PIN_BROKEN = "PinBroken"  # the pinned version is gone or its content changed
    SCHEMA_BROKEN = "SchemaBroken"
    FUNCTIONS_FAILING = "FunctionsFailing"  # over limits.maxErrorRate
    EMPTY_DATASET = "EmptyDataset"
    GOLD_INVALID = "GoldInvalid"
    NO_COVERAGE = "NoCoverage"  # no function votes on any row: nothing to fit
    MODEL_MISMATCH = "ModelMismatch"  # artifact is not what the pins say (F6)
    OUTPUT_CONFLICT = "OutputConflict"  # the output table belongs to another LabelJob, or is not a table
    OUTPUT_NOT_WRITABLE = "OutputNotWritable"  # permission denied, read-only
    VOLUME_FULL = "VolumeFull"
    SECRET_INVALID = "SecretInvalid"  # noqa: S105 a Secret that secretRef names, or a key in it, is not there
    STORAGE_DENIED = "StorageDenied"  # an object store refuses the key, the region, or what is asked
    STORAGE_UNSAFE = "StorageUnsafe"  # an object store ignores If-None-Match: commits would be lost
    STORAGE_UNAVAILABLE = "StorageUnavailable"  # an object store answers 5xx, or not at all, after retries
    CONFIG_INVALID = "ConfigInvalid"  # the job's own configuration was edited
    IMAGE_CHANGED = "ImageChanged"  # the pod's build is not the pinned one
    INPUT_MISMATCH = "InputMismatch"  # an input model has classes or reads columns that do not fit
    SUPERSEDED = "Superseded"  # a later sequence has committed: this run must not write
    INTERNAL_ERROR = "InternalError"


class FitNote(StrEnum):
    """What a fit says of its votes beside its figures; a note is `<FitNote>: <text for people>`."""

    VOTES_ADVERSARIAL = "VotesAdversarial"  # most of what is voted looks wrong: nothing but gold can tell
    FUNCTION_DOMINANT = "FunctionDominant"  # one voter decides most labels: nothing checks it
    START_IGNORED = "StartIgnored"  # the version to start from has other functions or classes
    NO_GAIN = "NoGainOverMajorityVote"  # the labels are those of majority vote


EXIT_CODES: dict[JobReason, ExitCode] = {
    JobReason.FUNCTIONS_INVALID: ExitCode.BAD_SPEC,
    JobReason.FUNCTION_TESTS_FAILED: ExitCode.BAD_SPEC,
    JobReason.LOOKUP_INVALID: ExitCode.BAD_SPEC,
    JobReason.CONFIG_INVALID: ExitCode.BAD_SPEC,
    JobReason.INPUT_MISMATCH: ExitCode.BAD_SPEC,
    JobReason.VOLUME_FULL: ExitCode.NO_ROOM,
    JobReason.SECRET_INVALID: ExitCode.BAD_SPEC,
    JobReason.STORAGE_UNAVAILABLE: ExitCode.TRANSIENT,
    JobReason.INTERNAL_ERROR: ExitCode.TRANSIENT,
}


def exit_code(reason: JobReason) -> ExitCode:
    """The exit code that goes with a reason; what is not listed is a failure of the data."""
    return EXIT_CODES.get(reason, ExitCode.BAD_DATA)
