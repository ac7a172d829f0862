"""LabelModel: fits on a pinned dataset, keeps versions, serves one."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from labeljob.contract.algorithms import AlgorithmChoice
from labeljob.contract.base import Wire
from labeljob.contract.calibration import CalibrationChoice, CalibrationRecord, Interval
from labeljob.contract.config import MOST_SHARDS
from labeljob.contract.datasets import Dataset, DatasetPin, GoldDataset, Located, SecretOfUri, VolumeUri
from labeljob.contract.inputs import MOST_CHAIN, MOST_INPUTS, ModelInput
from labeljob.contract.privacy import FINDINGS, HashKeyPin, PrivacyFinding
from labeljob.contract.result import DependentPair, StartPin
from labelplane.api.conditions import Conditions
from labelplane.api.metadata import Metadata
from labelplane.api.runtime import Runtime, SizedResources
from labelplane.api.sharding import FitShards, PodSeconds, RunProgress

TAKES_NO_GOLD = ("majority-vote", "generative", "triplet")
INSTEAD = "remove useGold, or use another algorithm"
Name = Annotated[str, Field(min_length=1, max_length=52, description="Name of a resource in the same namespace.")]


class FunctionSetRef(Wire):
    """The set whose functions vote."""

    name: Name


class InputRef(Wire):
    """A label model that votes in this one."""

    name: Name
    version: Annotated[int | None, Field(ge=1, description="Hold this version. When left out: the one that the model serves; a newly promoted one is a new fit here.")] = None


class Artifacts(Located):
    """The home of every version."""

    uri: VolumeUri
    secret_ref: SecretOfUri = None


ClassBalance = Annotated[
    str | dict[str, float] | None,
    WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "description": "auto: learned from the votes; gold: of goldData, whose rows then score no LabelJob; or each class's share (they sum to 1). When left out: auto.",
        }
    ),
]


class Parameters(Wire):
    """Settings of the fit."""

    seed: Annotated[int | None, Field(ge=0, le=4294967295, description="When left out: 0.")] = None
    max_iterations: Annotated[int | None, Field(ge=1, le=10000, description="When left out: 100.")] = None
    tolerance: Annotated[float | None, Field(gt=0, le=1, description="The fit stops when a round gains at most this, in nats a row. When left out: 1e-6.")] = None
    class_balance: ClassBalance = None
    prior_accuracy: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="How often a vote is right, before functions are compared: above 1 / the number of classes. When left out: from how often they agree.",
        ),
    ] = None

    start_from: Annotated[
        int | None,
        Field(ge=1, description="Version that expectation-maximisation starts from, when it has the same functions and classes. When left out: every fit starts afresh."),
    ] = None

    use_gold: Annotated[
        Literal["score", "fit"] | None,
        Field(
            description="score: goldData scores and calibrates. fit: the model learns from it, too, and is scored by fits that have not seen the row."
            " When left out: score."
        ),
    ] = None

    @field_validator("class_balance")
    @classmethod
    def _balance_is_known(cls, value: Any) -> Any:
        if value is None or value in ("auto", "gold"):
            return value
        if isinstance(value, str):
            raise ValueError("must be auto, gold, or a map of class to share")
        if any(share <= 0 or share >= 1 for share in value.values()) or abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError("shares must lie between 0 and 1 and sum to 1")
        return value


class Refit(Wire):
    """When the model may be fitted again."""

    suspend: Annotated[bool | None, Field(description="true starts no new fit; what serves goes on serving. When left out: false.")] = None


class LabelModelSpec(Wire):
    """What to fit, on what, and which version serves."""

    function_set_ref: FunctionSetRef
    inputs: Annotated[
        list[InputRef] | None,
        Field(
            min_length=1,
            max_length=MOST_INPUTS,
            description="Label models of this namespace that vote beside the functions, with the probabilities they give a row. Their functions are"
            " evaluated on the rows here, and their classes are among the classes here. This model waits until they are Ready.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    training_data: Annotated[Dataset, Field(description="The rows to learn from; labels are not needed.")]
    gold_data: Annotated[
        GoldDataset | None,
        Field(description="Rows with known classes, joined on the set's idColumn; used to score and to calibrate, and with parameters.useGold: fit also to fit."),
    ] = None
    artifacts: Annotated[Artifacts, Field(description="Where versions are kept. Deleting the resource deletes none of them.")]
    algorithm: Annotated[
        AlgorithmChoice | None,
        Field(description="The label model; see docs/label-models.md. When left out: auto, which chooses and says why."),
    ] = None
    parameters: Parameters | None = None
    calibration: Annotated[
        CalibrationChoice | None,
        Field(
            description="How probabilities are made honest with goldData; without gold they stay as they are."
            " When left out: auto, the simplest within one standard error of the best on held-out gold rows."
        ),
    ] = None
    pin: Annotated[int | None, Field(ge=1, description="Hold, or roll back to, this version. When left out: the newest serves.")] = None
    refit: Refit | None = None
    shards: FitShards = None
    max_parallelism: Annotated[
        int | None,
        Field(ge=1, le=MOST_SHARDS, description="How many pods of a fit may work at once; read when a fit starts. When left out: as many as it has shards."),
    ] = None
    runtime: Annotated[Runtime | None, Field(description="How the fit runs. What is left out comes from the set's runtime.")] = None

    @model_validator(mode="after")
    def _balance_has_its_gold(self) -> "LabelModelSpec":
        if self.gold_data is None and self.parameters is not None and self.parameters.class_balance == "gold":
            raise ValueError("parameters.classBalance: gold needs goldData: add it, or learn the balance (auto)")
        return self

    @field_validator("inputs")
    @classmethod
    def _inputs_are_unique(cls, value: list[InputRef] | None) -> list[InputRef] | None:
        names = [one.name for one in value or []]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"has {repeated[0]!r} more than once: names must be unique")
        return value

    @model_validator(mode="after")
    def _gold_can_teach(self) -> "LabelModelSpec":
        if self.parameters is not None and self.parameters.use_gold == "fit":
            if self.gold_data is None:
                raise ValueError("parameters.useGold: fit needs goldData: add it, or remove useGold")
            if self.algorithm in TAKES_NO_GOLD:
                raise ValueError(f"parameters.useGold: fit has no effect on algorithm {self.algorithm}, which does not learn from known classes: {INSTEAD}")
        return self

    @property
    def refit_suspended(self) -> bool:
        return bool(self.refit and self.refit.suspend)


class ArtifactRef(Wire):
    """A version's files and their digest."""

    uri: str
    sha256: str


class FunctionSetPin(Wire):
    """The functions a version was fitted with."""

    name: str
    digest: str


class CurrentVersion(Wire):
    """The version that serves."""

    version: int
    digest: str
    artifact: ArtifactRef
    function_set: FunctionSetPin
    training_data: DatasetPin
    image: str
    algorithm: str
    why: str
    metrics: Annotated[dict[str, float | None], Field(description="Scores on gold are cross-fitted: no row is scored by a calibrator that was tuned on it.")]
    intervals: Annotated[dict[str, Interval], Field(description="95 % confidence intervals of the scores on gold.")] = {}
    dependent: Annotated[list[DependentPair], Field(max_length=5, description="Functions that repeat one another, strongest first; discounted by algorithm auto.")] = []
    notes: Annotated[list[str], Field(max_length=5, description="What a person should know of this fit.")] = []
    start: Annotated[StartPin | None, Field(description="The version that the fit started from.")] = None
    inputs: Annotated[list[ModelInput], Field(max_length=MOST_CHAIN, description="The chain of model versions that it was fitted with, first tiers first.")] = []
    calibration: CalibrationRecord | None = None
    privacy: Annotated[list[PrivacyFinding], Field(max_length=FINDINGS, description="Columns of the training data that look like personal data.")] = []
    fitted_at: str
    pod_seconds: PodSeconds = None


class VersionEntry(Wire):
    """One line of history."""

    version: int
    digest: str
    fitted_at: str
    state: Literal["promoted", "superseded", "candidate"]


class FunctionFigures(Wire):
    """What the model learned of one function."""

    name: str
    polarity: list[str] = []
    coverage: float | None = None
    overlaps: float | None = None
    conflicts: float | None = None
    estimated_accuracy: float | None = None
    accuracy_interval: Annotated[
        list[float] | None, Field(min_length=2, max_length=2, description="95 % interval of the estimated accuracy: what the votes alone can tell.")
    ] = None
    empirical_accuracy: float | None = None
    weight: float | None = None
    error_rate: float | None = None


class ModelPins(Wire):
    """Pins of the fit that is wanted, resolved once for (generation, reconcile-at, functions)."""

    request: Annotated[str, Field(description="Digest of what was asked; the pins hold as long as it does.")]
    scope: Annotated[
        str | None, Field(description="Digest of what was asked but for shards and maxParallelism: while it holds, a fit under way goes on.")
    ] = None
    training_data: DatasetPin
    gold_data: DatasetPin | None = None
    start: StartPin | None = None
    inputs: Annotated[list[ModelInput], Field(max_length=MOST_CHAIN)] = []
    function_set_digest: str
    hash_key: Annotated[HashKeyPin | None, Field(description="The key that the set's columns are hashed with; a fit with another one stops.")] = None
    image: str
    build: str
    fit_digest: str
    version: Annotated[int, Field(description="The version that the fit writes, or has written.")]
    shards: Annotated[int, Field(description="In how many parts the fit reads the data.")] = 1
    resources: SizedResources = None


class LabelModelStatus(Wire):
    """What the operator found; rebuilt from the artifact index when it is lost."""

    observed_generation: int = -1
    last_handled_reconcile_at: str | None = None
    current: CurrentVersion | None = None
    pins: ModelPins | None = None
    versions: Annotated[list[VersionEntry], Field(max_length=10)] = []
    functions: Annotated[list[FunctionFigures], Field(max_length=100)] = []
    progress: RunProgress | None = None
    conditions: Conditions = []


class LabelModel(Wire):
    """A parsed LabelModel."""

    metadata: Metadata
    spec: LabelModelSpec
    status: LabelModelStatus = LabelModelStatus()
