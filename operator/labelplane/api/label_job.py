"""LabelJob: labels a pinned dataset with a pinned model version."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.config import MOST_HISTORY, MOST_SHARDS
from labeljob.contract.datasets import Dataset, DatasetPin, GoldDataset
from labeljob.contract.drift import DRIFT_LIMIT, Shift
from labeljob.contract.durations import Duration
from labeljob.contract.inputs import MOST_CHAIN, ModelInput
from labeljob.contract.privacy import FINDINGS, HashKeyPin, PrivacyFinding
from labeljob.contract.quarantine import MOST_SHARE, Quarantine
from labelplane.api.conditions import Conditions
from labelplane.api.label_model import FunctionSetPin, Name
from labelplane.api.metadata import Metadata
from labelplane.api.output import Output
from labelplane.api.runtime import Runtime, SizedResources
from labelplane.api.schedules import Schedule, TimeZone
from labelplane.api.sharding import PodSeconds, RunProgress, RunShards

KEPT_RUNS = 2


class ModelRef(Wire):
    """The model that labels."""

    name: Name
    version: Annotated[int | None, Field(ge=1, description="Hold this version. When left out: the one that the model serves.")] = None


class Objectives(Wire):
    """What the labels should reach; missing one raises a condition and an Event, and stops nothing."""

    coverage: Annotated[float | None, Field(ge=0, le=1, description="Smallest share of rows with a vote. When left out: 0.9.")] = None
    conflict_rate: Annotated[float | None, Field(ge=0, le=1, description="Largest share of covered rows whose votes differ. When left out: 0.1.")] = None


class DriftLimits(Wire):
    """How far a run may be from the data that its model was fitted on; beyond it is a condition and an Event, and stops nothing."""

    max_population_stability: Annotated[
        float | None, Field(gt=0, le=10, description="Largest population stability index of a column, or of the labels' confidence. When left out: 0.2.")
    ] = None
    max_label_shift: Annotated[float | None, Field(gt=0, le=1, description="Largest change of a class's share of the labels. When left out: 0.1.")] = None
    max_vote_shift: Annotated[
        float | None, Field(gt=0, le=1, description="Largest change of the share of rows on which a function votes, for a class or at all. When left out: 0.03.")
    ] = None


SCHEDULE_WITH_MODE = "mode scheduled and schedule go together: give both, or neither"


class QuarantineLimit(Wire):
    """How much of the input may be set apart."""

    max_share: Annotated[
        float | None, Field(ge=0, le=1, description="Largest share of the rows that may be set apart; with more the run fails SchemaBroken. When left out: 0.01.")
    ] = None


class LabelJobSpec(Wire):
    """What to label, with what, and where the labels go."""

    model_ref: ModelRef
    input: Annotated[Dataset, Field(description="The rows to label.")]
    output: Output
    mode: (
        Annotated[
            Literal["once", "scheduled"],
            Field(
                description="once: label, and label again when the spec, the model or reconcile-at asks for it. scheduled: then, and at each tick of"
                " spec.schedule look at the data again and label it where it has changed. When left out: once."
            ),
        ]
        | None
    ) = None
    schedule: Annotated[Schedule | None, Field(description="When a scheduled job looks at its data again: minute, hour, day of month, month, day of week.")] = None
    time_zone: Annotated[TimeZone | None, Field(description="Time zone of the schedule, such as Europe/Berlin. When left out: Etc/UTC.")] = None
    starting_deadline_seconds: Annotated[
        int | None, Field(ge=1, description="A tick that could not be kept for so long is let go. When left out: however late, the last one is kept.")
    ] = None
    on_model_change: Annotated[
        Literal["relabel", "keep"] | None, Field(description="Whether a newly promoted model labels the data again. When left out: relabel.")
    ] = None
    gold_data: Annotated[GoldDataset | None, Field(description="Rows with known classes, for precision and recall of these labels.")] = None
    schema_policy: Annotated[
        Literal["fail", "quarantine"] | None,
        Field(
            description="What becomes of a run whose input has rows that break the contract by a value (not of its type, null, out of bounds, an id that is null or"
            " repeated). fail: it fails SchemaBroken. quarantine: such rows are not labelled, but written beside the output with the reason, and the others are labelled."
            " A column that is missing or of another type fails either way. When left out: fail."
        ),
    ] = None
    quarantine: Annotated[QuarantineLimit | None, Field(description="With schemaPolicy: quarantine.")] = None
    objectives: Objectives | None = None
    drift: DriftLimits | None = None
    shards: RunShards = None
    max_parallelism: Annotated[
        int | None,
        Field(ge=1, le=MOST_SHARDS, description="How many pods of a run may work at once; read when a run starts. When left out: as many as it has shards."),
    ] = None
    history_limit: Annotated[
        int | None,
        Field(
            ge=0,
            le=MOST_HISTORY,
            description="Of how many runs the votes are kept beside the output. A run takes them again where neither the rows nor the labeling function has changed, and"
            " evaluates the rest: the labels are the same. 0 keeps none and takes none. Read when a run starts; to change it labels nothing again. When left out: 2.",
        ),
    ] = None
    suspend: Annotated[bool | None, Field(description="true stops the run and starts none; the output stays. When left out: false.")] = None
    run_ttl: Annotated[Duration | None, Field(alias="runTTL", description="How long a finished Job stays once its result is in status. When left out: 168h.")] = None
    active_deadline: Annotated[Duration | None, Field(description="How long one run may take, its shards and its commit together. When left out: no limit.")] = None
    runtime: Annotated[Runtime | None, Field(description="How the run runs. What is left out comes from the model's and the set's runtime.")] = None

    @model_validator(mode="after")
    def _schedule_goes_with_its_mode(self) -> "LabelJobSpec":
        if (self.mode == "scheduled") != (self.schedule is not None):
            raise ValueError(SCHEDULE_WITH_MODE)
        if self.schedule is None and (self.time_zone is not None or self.starting_deadline_seconds is not None):
            raise ValueError("timeZone and startingDeadlineSeconds go with a schedule: add spec.schedule, or remove them")
        return self

    @model_validator(mode="after")
    def _limit_goes_with_its_policy(self) -> "LabelJobSpec":
        if self.quarantine is not None and self.schema_policy != "quarantine":
            raise ValueError("quarantine has an effect only with schemaPolicy: quarantine: add it, or remove quarantine")
        return self

    @property
    def kept_runs(self) -> int:
        """Of how many runs votes are kept."""
        return KEPT_RUNS if self.history_limit is None else self.history_limit

    @property
    def quarantined_share(self) -> float | None:
        """The share of the rows that may be set apart; None: such rows fail the run."""
        if self.schema_policy != "quarantine":
            return None
        return MOST_SHARE if self.quarantine is None or self.quarantine.max_share is None else self.quarantine.max_share


class ModelPin(Wire):
    """The model version a run labels with."""

    name: str
    version: int
    digest: str


class OutputPin(Wire):
    """The table version a run made."""

    uri: str
    table_id: str | None = None
    version: int | None = None
    content_digest: str | None = None


class Run(Wire):
    """One run with every pin. `output.version` is set once it is committed."""

    sequence: int
    digest: str
    started_at: str | None = None
    finished_at: str | None = None
    input: DatasetPin
    model: ModelPin
    function_set: FunctionSetPin
    inputs: Annotated[list[ModelInput], Field(max_length=MOST_CHAIN, description="The chain of model versions behind the model's, first tiers first.")] = []
    image: str
    output: OutputPin
    drift: Annotated[
        list[Shift], Field(max_length=DRIFT_LIMIT, description="What has moved beyond chance since the model version was fitted, within limits or not.")
    ] = []
    privacy: Annotated[list[PrivacyFinding], Field(max_length=FINDINGS, description="Columns of the input that look like personal data.")] = []
    quarantine: Annotated[Quarantine | None, Field(description="Rows of the input that were not labelled, and the folder of Parquet files where they are.")] = None
    pod_seconds: PodSeconds = None


class RunLine(Wire):
    """One line of history."""

    sequence: int
    digest: str
    finished_at: str
    output_version: int
    rows: int
    model_version: int
    pod_seconds: PodSeconds = None


class Metrics(Wire):
    """Indicators of the last run; a ratio over no rows is absent."""

    rows: int | None = None
    coverage: float | None = None
    conflict_rate: float | None = None
    mean_confidence: float | None = None
    precision: float | None = None
    recall: float | None = None
    brier: float | None = None
    ece: float | None = None
    gold_taught: Annotated[int | None, Field(description="Gold rows that the model learned from, and that score nothing here.")] = None
    quarantined_rows: Annotated[int | None, Field(description="Rows that were set apart and not labelled; absent unless schemaPolicy is quarantine.")] = None
    reused_rows: Annotated[int | None, Field(description="Rows all of whose votes an earlier run had found; absent where no votes are kept.")] = None
    reused_votes: Annotated[float | None, Field(description="Share of all votes that earlier runs had found; absent where no votes are kept.")] = None
    latency_seconds: float | None = None
    rows_per_second: float | None = None
    label_distribution: dict[str, float] | None = None


class JobPins(Wire):
    """Pins of the run that is wanted, written before the run's Job exists."""

    request: Annotated[str, Field(description="Digest of what was asked; the pins hold as long as it does.")]
    scope: Annotated[
        str | None,
        Field(description="Digest of what was asked but for the model's version, shards, maxParallelism, historyLimit and the schedule: while it holds, a run under way goes on."),
    ] = None
    input: DatasetPin
    gold_data: DatasetPin | None = None
    model: ModelPin
    model_artifacts: str
    inputs: Annotated[list[ModelInput], Field(max_length=MOST_CHAIN)] = []
    function_set: FunctionSetPin
    hash_key: Annotated[HashKeyPin | None, Field(description="The key that the model's columns are hashed with; a run with another one stops.")] = None
    image: str
    build: str
    run_digest: str
    sequence: int
    scheduled_for: Annotated[str | None, Field(description="The tick of the schedule that the run is for.")] = None
    shards: Annotated[int, Field(description="In how many parts the run labels the data.")] = 1
    history_limit: Annotated[int, Field(description="Of how many runs the votes are kept beside the output.")] = 0
    resources: SizedResources = None
    started_at: str


class LabelJobStatus(Wire):
    """What the operator found; rebuilt from the output's last commit when it is lost."""

    observed_generation: int = -1
    last_handled_reconcile_at: str | None = None
    next_schedule_time: Annotated[str | None, Field(description="When a scheduled job looks at its data again; absent where no tick follows.")] = None
    pins: JobPins | None = None
    run: Run | None = None
    metrics: Metrics | None = None
    runs: Annotated[list[RunLine], Field(max_length=10)] = []
    progress: RunProgress | None = None
    conditions: Conditions = []


class LabelJob(Wire):
    """A parsed LabelJob."""

    metadata: Metadata
    spec: LabelJobSpec
    status: LabelJobStatus = LabelJobStatus()
