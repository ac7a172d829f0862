"""The part of an object's metadata that decisions read."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from labelplane.api.groups import RECONCILE, RECONCILE_AT


class Metadata(BaseModel):
    """Identity and generation of an object; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, Any] = Field(default_factory=dict)

    @property
    def reconcile_at(self) -> str | None:
        """Value of the annotation that asks for a reconcile."""
        return self.annotations.get(RECONCILE_AT)

    @property
    def disabled(self) -> bool:
        """Break-glass: the operator must not touch this resource."""
        return self.annotations.get(RECONCILE) == "disabled"
