"""What `labelplane diff` and `labelplane rollback` ask about the versions of an output table."""

from typing import Literal

from pydantic import Field, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.config import Access, Mount


class VersionsRequest(Wire):
    """Two versions to compare, or one to restore."""

    action: Literal["diff", "rollback"]
    job: str  # name of the LabelJob, as shown
    mounts: tuple[Mount, ...]
    access: tuple[Access, ...] = ()
    output: str
    app_id: str
    artifacts: str  # home of the model's versions
    other_artifacts: tuple[str, ...] = ()  # homes of other models, which earlier runs may have labelled with
    before: int | None = Field(default=None, ge=0)  # diff: the version to compare with, mostly the earlier one
    version: int = Field(ge=0)  # diff: the other; rollback: the one to restore

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "VersionsRequest":
        if self.action == "diff" and self.before is None:
            raise ValueError("before is required with diff: name the version to compare with")
        if self.action == "rollback" and self.before is not None:
            raise ValueError("before does not go with rollback, which restores version: remove it")
        return self
