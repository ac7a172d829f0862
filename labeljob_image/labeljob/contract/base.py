"""Base of every model that crosses a boundary: camelCase on the wire, frozen, unknown fields refused."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A frozen value that is written and read as JSON with camelCase keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, ser_json_inf_nan="null")

    def wire(self) -> dict[str, object]:
        """The value as JSON-compatible data: camelCase keys, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
