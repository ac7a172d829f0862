"""Which resources a raw resource names, however broken the rest of it is: for wake-ups, snapshots, and cycles of inputs."""

from collections.abc import Mapping
from typing import Any

from labelplane.api.groups import FUNCTION_SET, LABEL_JOB, LABEL_MODEL, Key

_NAMED = {LABEL_MODEL.kind: (FUNCTION_SET.kind, "functionSetRef"), LABEL_JOB.kind: (LABEL_MODEL.kind, "modelRef")}


def references_of(key: Key, raw: Mapping[str, Any]) -> set[Key]:
    """What its spec names: a model its set and its input models, a job its model."""
    kind, field = _NAMED.get(key.kind, ("", ""))
    spec = _mapping(raw.get("spec"))
    name = _mapping(spec.get(field)).get("name")
    named = {Key(kind, key.namespace, name)} if isinstance(name, str) else set()
    return named | {Key(LABEL_MODEL.kind, key.namespace, name) for name in input_names(raw)} if key.kind == LABEL_MODEL.kind else named


def input_names(model: Mapping[str, Any]) -> list[str]:
    """The models that a LabelModel names as its inputs, in order."""
    inputs = _mapping(model.get("spec")).get("inputs")
    names = [_mapping(one).get("name") for one in inputs] if isinstance(inputs, list) else []
    return [name for name in names if isinstance(name, str)]


def input_cycle(name: str, inputs: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from a model through its inputs back to it, `[a, b, a]`; None when there is none.

    Args:
        inputs: of each model at hand, by name, the names of its inputs.
    """
    ways, seen = [[name]], {name}
    while ways:
        way = ways.pop(0)
        for following in inputs.get(way[-1], ()):
            if following == name:
                return [*way, name]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
