"""pydantic's JSON Schema -> what a CRD accepts: structural, inlined, without noise or defaults."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from labelplane.api.validation_rules import RULES

Schema = dict[str, Any]

_NOISE = frozenset({"title", "default", "$defs", "discriminator"})


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, with its CEL rules; the schema has no defaults."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _converted(raw, raw.get("$defs", {}), model.__name__)


def _converted(node: Mapping[str, Any], definitions: Mapping[str, Any], name: str | None = None) -> Schema:
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        base = _converted(definitions[name], definitions, name)
        return base | _described(node)
    optional = _without_null(node)
    if optional is not None:
        return _converted(optional, definitions) | _described(node)
    schema = {key: _value(key, value, definitions) for key, value in node.items() if key not in _NOISE}
    _use_boolean_bounds(schema)
    _use_one_value_enum(schema)
    if "properties" in schema:
        schema.pop("additionalProperties", None)
    if name in RULES:
        schema["x-kubernetes-validations"] = RULES[name]
    if "x-kubernetes-int-or-string" in schema:
        schema.pop("type", None)
        schema.pop("anyOf", None)
    return schema


def _without_null(node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The other branch of `T | None`. An absent field stands for None, so null itself is not allowed."""
    branches = [branch for branch in node.get("anyOf", ()) if branch.get("type") != "null"]
    if len(branches) == 1 and len(node["anyOf"]) == 2:
        branch: Mapping[str, Any] = branches[0]
        return dict(branch) | {key: value for key, value in node.items() if key not in ("anyOf", *_NOISE)}
    return None


def _described(node: Mapping[str, Any]) -> Schema:
    return {"description": node["description"]} if "description" in node else {}


def _value(key: str, value: Any, definitions: Mapping[str, Any]) -> Any:
    if key == "properties":
        return {name: _converted(child, definitions) for name, child in value.items()}
    if key in ("items", "additionalProperties") and isinstance(value, Mapping):
        return _converted(value, definitions)
    return value


def _use_boolean_bounds(schema: Schema) -> None:
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            schema[inclusive] = schema[exclusive]
            schema[exclusive] = True
    if "minLength" in schema or "maxLength" in schema:
        return
    if schema.get("type") == "object" and "additionalProperties" in schema:
        for there, here in (("minLength", "minProperties"), ("maxLength", "maxProperties")):
            if there in schema:
                schema[here] = schema.pop(there)


def _use_one_value_enum(schema: Schema) -> None:
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
