"""`JobConfig`: the one file that tells a job what to do. Pins are decided before it is written."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from labeljob.contract.algorithms import AlgorithmChoice
from labeljob.contract.base import Wire
from labeljob.contract.calibration import CalibrationChoice
from labeljob.contract.datasets import Dataset, DatasetPin, GoldDataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import InputQuery, ModelInput
from labeljob.contract.partitioning import PartitionColumn
from labeljob.contract.privacy import HashKeyPin
from labeljob.contract.result import StartPin

FUNCTIONS_VARIABLE = "LABELJOB_FUNCTIONS"  # environment of a job: folders that modules of `python` functions are looked for in
MOST_SHARDS = 1000
MOST_HISTORY = 10
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"  # Kubernetes sets it in the pods of an Indexed Job
SHARERS_VARIABLE = "LABELJOB_SHARERS"  # where no cgroup divides the machine, as on a laptop: how many jobs run on it at once
Step = Literal["check", "resolve", "fit-shard", "fit", "label", "shard", "commit"]


Shards = Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_SHARDS)]


class Owner(Wire):
    """The resource on whose behalf the job runs."""

    kind: str
    namespace: str
    name: str


class Mount(Wire):
    """Where a claim, a ConfigMap or a local folder is found: `prefix` of a URI -> folder.

    `pvc://claim`, `configmap://name` and `secret://name` name a folder; `file:` names the folder that relative paths start from.
    """

    prefix: str
    path: str


class Access(Wire):
    """How an `s3://` URI is reached: by a Secret, mounted as `secret://<name>`, or (None) by AWS_* of the environment.

    `field`: of the spec that names the URI, for messages.
    """

    uri: str
    field: str
    secret: str | None = None


class CheckTask(Wire):
    """Compile the functions, read the lookup tables, run the function tests."""

    function_set: FunctionSet


class ResolveTask(Wire):
    """Find the state of every dataset, of the model's versions, and of the output's last commit."""

    function_set: FunctionSet | None = None  # lookup tables to pin
    data: Dataset
    gold: GoldDataset | None = None
    artifacts: str | None = None  # a model's home: read its index
    pin: int | None = None  # the version to describe; the newest when absent
    output: str | None = None  # a job's table: read its last commit
    app_id: str | None = None
    inputs: tuple[InputQuery, ...] = ()  # versions of other models to pin
    shards: Shards | None = None  # in how many parts the data is to be read; absent: one


class FitTask(Wire):
    """Fit a label model on pinned data and write one version.

    From two `shards` on, the step `fit-shard` reduces one part of the data, which one the pod's completion index says (0 to shards - 1), and the step `fit`
    reads what they wrote in place of the data.
    """

    function_set: FunctionSet
    function_set_digest: str  # includes the lookup tables' content
    data: DatasetPin
    gold: DatasetPin | None = None
    gold_label_column: str | None = None
    gold_probability_column: str | None = None
    hash_key: HashKeyPin | None = None  # of the set's hashed columns
    inputs: list[ModelInput] = []  # the chain: those that vote, and the inputs of inputs
    algorithm: AlgorithmChoice
    calibration: CalibrationChoice = "auto"
    parameters: dict[str, Any]
    start: StartPin | None = None
    artifacts: str
    version: int
    fit_digest: str
    image: str
    shards: int | None = Field(default=None, ge=2, le=MOST_SHARDS)  # absent: one, and an image from before there were several reads the task, too

    @property
    def parts(self) -> int:
        """In how many parts the data is read."""
        return self.shards or 1


class LabelTask(Wire):
    """Label pinned data with a pinned model version and commit one table version."""

    data: DatasetPin
    gold: DatasetPin | None = None
    gold_label_column: str | None = None
    gold_probability_column: str | None = None
    artifacts: str
    model_name: str
    model_version: int
    model_sha256: str
    output: str
    app_id: str
    sequence: int
    run_digest: str
    run: str  # written to every row: <name>-<digest10>-<sequence>
    partition_by: PartitionColumn | None = None  # of the output; absent: its files lie in one folder
    quarantine: float | None = Field(default=None, ge=0, le=1)  # share of rows that may break the contract and are set apart; absent: none may
    history_limit: int = Field(default=0, ge=0, le=MOST_HISTORY)  # of how many runs votes are kept beside the output, and taken again
    image: str


class ShardTask(Wire):
    """Label one part of the pinned data; which one, the pod's completion index says (0 to shards - 1). Nothing becomes visible."""

    label: LabelTask
    shards: int = Field(ge=2, le=MOST_SHARDS)


class CommitTask(Wire):
    """Make the parts that the shards of a run wrote visible in one table version."""

    label: LabelTask
    shards: int = Field(ge=2, le=MOST_SHARDS)


class JobConfig(Wire):
    """Everything a job needs, in one file; exactly the task that `step` names is set."""

    format_version: Literal[1] = 1
    step: Step
    owner: Owner
    mounts: tuple[Mount, ...] = ()
    access: tuple[Access, ...] = ()
    expected_build: str | None = None  # refuse to run as any other build of the job code
    check: CheckTask | None = None
    resolve: ResolveTask | None = None
    fit_shard: FitTask | None = None
    fit: FitTask | None = None
    label: LabelTask | None = None
    shard: ShardTask | None = None
    commit: CommitTask | None = None

    @model_validator(mode="after")
    def _has_its_task(self) -> "JobConfig":
        given = [step for step in get_args(Step) if getattr(self, step.replace("-", "_")) is not None]
        if given != [self.step]:
            raise ValueError(f"step {self.step} needs exactly the task of that name, found {given}")
        return self
