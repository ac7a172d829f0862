"""What `labelplane explain` and `labelplane report` ask of the reading code, and where the answer goes."""

from typing import Literal

from labeljob.contract.base import Wire
from labeljob.contract.config import Access, Mount
from labeljob.contract.datasets import DatasetPin


class ReadingRequest(Wire):
    """One question about one committed run."""

    question: Literal["explain", "report"]
    job: str  # name of the LabelJob, as shown
    mounts: tuple[Mount, ...]
    access: tuple[Access, ...] = ()
    output: str
    output_version: int
    run: str  # what the commit wrote into every row of this run
    artifacts: str
    model_name: str
    model_version: int
    model_sha256: str
    algorithm: str | None = None
    why: str | None = None
    calibration_why: str | None = None
    data: DatasetPin
    gold: DatasetPin | None = None
    gold_label_column: str | None = None
    gold_probability_column: str | None = None
    row_id: str | None = None  # explain: the row
    page: str | None = None  # report: the HTML file to write
    mark: str | None = None  # report: what tells this page from any other, to be found in its head
