"""LabelJob: labels a pinned dataset with a pinned model version."""

from typing import Annotated, Literal

from pydantic import Field

from labeljob.contract.base import Wire
from labeljob.contract.datasets import Dataset, DatasetPin, GoldDataset, Located, SecretOfUri, VolumeUri
from labeljob.contract.inputs import MOST_CHAIN, ModelInput
from labelplane.api.conditions import Conditions
from labelplane.api.label_model import FunctionSetPin, Name
from labelplane.api.metadata import Metadata
from labelplane.api.runtime import Duration, Runtime


class ModelRef(Wire):
    """The model that labels."""

    name: Name
    version: Annotated[int | None, Field(ge=1, description="Hold this version. When left out: the one that the model serves.")] = None


class Output(Located):
    """The table of labels. Its place cannot change; make a new LabelJob for another table."""

    uri: VolumeUri
    format: Annotated[Literal["delta"], Field(description="How labels are stored.")]
    secret_ref: SecretOfUri = None


class Objectives(Wire):
    """What the labels should reach; missing one raises a condition and an Event, and stops nothing."""

    coverage: Annotated[float | None, Field(ge=0, le=1, description="Smallest share of rows with a vote. When left out: 0.9.")] = None
    conflict_rate: Annotated[float | None, Field(ge=0, le=1, description="Largest share of covered rows whose votes differ. When left out: 0.1.")] = None


class LabelJobSpec(Wire):
    """What to label, with what, and where the labels go."""

    model_ref: ModelRef
    input: Annotated[Dataset, Field(description="The rows to label.")]
    output: Output
    mode: Annotated[Literal["once"], Field(description="once: label, and label again when the spec, the model or reconcile-at asks for it. When left out: once.")] | None = None
    on_model_change: Annotated[
        Literal["relabel", "keep"] | None, Field(description="Whether a newly promoted model labels the data again. When left out: relabel.")
    ] = None
    gold_data: Annotated[GoldDataset | None, Field(description="Rows with known classes, for precision and recall of these labels.")] = None
    objectives: Objectives | None = None
    suspend: Annotated[bool | None, Field(description="true stops the run and starts none; the output stays. When left out: false.")] = None
    run_ttl: Annotated[Duration | None, Field(alias="runTTL", description="How long a finished Job stays once its result is in status. When left out: 168h.")] = None
    active_deadline: Annotated[Duration | None, Field(description="How long one run may take. When left out: no limit.")] = None
    runtime: Annotated[Runtime | None, Field(description="How the run runs. What is left out comes from the model's and the set's runtime.")] = None


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


class RunLine(Wire):
    """One line of history."""

    sequence: int
    digest: str
    finished_at: str
    output_version: int
    rows: int
    model_version: int


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
    latency_seconds: float | None = None
    rows_per_second: float | None = None
    label_distribution: dict[str, float] | None = None


class JobPins(Wire):
    """Pins of the run that is wanted, written before the run's Job exists."""

    request: Annotated[str, Field(description="Digest of what was asked; the pins hold as long as it does.")]
    input: DatasetPin
    gold_data: DatasetPin | None = None
    model: ModelPin
    model_artifacts: str
    inputs: Annotated[list[ModelInput], Field(max_length=MOST_CHAIN)] = []
    function_set: FunctionSetPin
    image: str
    build: str
    run_digest: str
    sequence: int
    started_at: str


class LabelJobStatus(Wire):
    """What the operator found; rebuilt from the output's last commit when it is lost."""

    observed_generation: int = -1
    last_handled_reconcile_at: str | None = None
    pins: JobPins | None = None
    run: Run | None = None
    metrics: Metrics | None = None
    runs: Annotated[list[RunLine], Field(max_length=10)] = []
    conditions: Conditions = []


class LabelJob(Wire):
    """A parsed LabelJob."""

    metadata: Metadata
    spec: LabelJobSpec
    status: LabelJobStatus = LabelJobStatus()
