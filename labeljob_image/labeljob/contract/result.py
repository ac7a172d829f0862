"""`JobResult`: what a job reports. It fits a pod's termination message (4,096 bytes)."""

from typing import Literal

from pydantic import Field

from labeljob.contract.base import Wire
from labeljob.contract.calibration import CalibrationRecord, Interval
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.drift import Shift
from labeljob.contract.inputs import ModelInput
from labeljob.contract.privacy import HashKeyPin, PrivacyFinding
from labeljob.contract.quarantine import Quarantine
from labeljob.contract.reasons import JobReason

MESSAGE_BYTES = 4096
FUNCTION_LIMIT = 100
DEPENDENT_LIMIT = 5


class FunctionColumns(Wire):
    """Per-function figures as parallel lists in function order; shares are in thousandths.

    `index` names the functions when not all of them fit (then the worst ones, by error rate, conflicts, accuracy).
    """

    index: list[int] | None = None
    polarity: list[str] = []  # class indices the function voted for, joined by "."
    coverage: list[int] = []
    overlaps: list[int] = []
    conflicts: list[int] = []
    error_rate: list[int] = []
    estimated_accuracy: list[int | None] = []
    accuracy_low: list[int | None] = []  # 95 % interval of the estimated accuracy; empty when it was cut to fit
    accuracy_high: list[int | None] = []
    empirical_accuracy: list[int | None] = []
    weight: list[float | None] = []


class DependentPair(Wire):
    """Two functions that repeat one another: the correlation of their votes that the class does not explain, 1 for copies."""

    functions: list[str] = Field(min_length=2, max_length=2)
    correlation: float


class StartPin(Wire):
    """The version that a fit starts from: its fit digest says what it holds."""

    version: int
    fit_digest: str


class ModelVersion(Wire):
    """One version of a label model, as its artifact index records it."""

    version: int
    fit_digest: str
    sha256: str
    function_set_digest: str
    data: DatasetPin
    gold: DatasetPin | None = None
    image: str
    build: str
    algorithm: str
    why: str
    iterations: int
    converged: bool
    fitted_at: str
    metrics: dict[str, float | None]
    intervals: dict[str, Interval] = {}
    dependent: list[DependentPair] = []  # strongest first; at most DEPENDENT_LIMIT
    notes: list[str] = []  # what a person should know of this fit: `<FitNote>: <text>`
    start: StartPin | None = None  # the version that it started from
    inputs: list[ModelInput] = []  # the chain of model versions that it was fitted with, first tiers first
    calibration: CalibrationRecord | None = None  # absent from versions of before there was one
    hash_key: HashKeyPin | None = None  # of the set's hashed columns
    privacy: list[PrivacyFinding] = []  # columns of the training data that look like personal data; at most FINDINGS


class VersionLine(Wire):
    """A version in one line of history."""

    version: int
    fit_digest: str
    fitted_at: str


class Commit(Wire):
    """What the last commit of a LabelJob's output says of itself."""

    sequence: int
    run_digest: str
    run: str
    table_id: str
    version: int
    content_digest: str
    started_at: str
    finished_at: str
    data: DatasetPin
    model_version: int
    model_sha256: str
    function_set_digest: str
    image: str
    metrics: dict[str, float | None]
    label_distribution: dict[str, float]
    privacy: list[PrivacyFinding] = []  # columns of the data that look like personal data; at most FINDINGS
    drift: list[Shift] = []  # what has moved since the model version was fitted, at most DRIFT_LIMIT
    quarantine: Quarantine | None = None  # rows that were not labelled; absent when all were
    votes: str | None = None  # the manifest of the votes that are kept beside the output; absent when none are


class CheckResult(Wire):
    """The set works: identity of the functions with the content of their lookup tables."""

    function_set_digest: str
    function_count: int
    tests_passed: int


class ResolveResult(Wire):
    """Pins, and what already stands in the output."""

    data: DatasetPin
    gold: DatasetPin | None = None
    function_set_digest: str | None = None
    hash_key: HashKeyPin | None = None  # of the set's hashed columns
    inputs: list[ModelInput] = []  # the chain behind the queries
    versions: list[VersionLine] = []  # newest first, at most 10
    current: ModelVersion | None = None  # the pinned version, or the newest; its own chain is left out beside `inputs`
    current_functions: FunctionColumns | None = None
    pin_found: bool | None = None  # whether `pin` is in the index; absent without a pin
    commit: Commit | None = None
    stored: int | None = None  # bytes of the data's files; absent from jobs of before pods were sized by them
    shards: int | None = None  # how many parts the data is to be labelled in; absent unless asked


class FitResult(Wire):
    """The version that was written (or found, on a retry)."""

    version: ModelVersion
    functions: FunctionColumns


class LabelResult(Wire):
    """The commit that was made (or found, on a retry)."""

    commit: Commit
    functions: FunctionColumns


class ShardResult(Wire):
    """A part is labelled, or reduced for a fit (or was found so, on a retry).

    `rows` of the part; 0 where the version stands that it was to be reduced for.
    """

    shard: int
    rows: int


class Failure(Wire):
    """Why the job stopped and what to do next; never a value of the data."""

    reason: JobReason
    message: str = Field(max_length=2048)


class JobResult(Wire):
    """Exactly one of failure, check, resolve, fit, label, shard; a commit reports what a label step does."""

    format_version: Literal[1] = 1
    build: str  # identity of the job code and its libraries
    failure: Failure | None = None
    check: CheckResult | None = None
    resolve: ResolveResult | None = None
    fit: FitResult | None = None
    label: LabelResult | None = None
    shard: ShardResult | None = None
    warnings: list[str] = []  # domain conditions and texts such as "CoverageLow: ..." that do not stop a run
