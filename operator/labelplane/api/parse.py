"""Raw resources -> models, once, at the edge. What cannot be parsed is Stalled with the fields named as kubectl names them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from labelplane.api.function_set import FunctionSetStatus, LabelingFunctionSet
from labelplane.api.groups import Key
from labelplane.api.label_job import LabelJob, LabelJobStatus
from labelplane.api.label_model import LabelModel, LabelModelStatus
from labelplane.api.reasons import ControlReason
from labelplane.api.wording import said
from labelplane.errors import Stalled

_INNER = re.compile(r"^((?:classes|functions|schema|idColumn)\S*) (.*)$", re.DOTALL)
MESSAGE_CHARACTERS = 2000
NAME_CHARACTERS = 52
Resource = TypeVar("Resource", LabelingFunctionSet, LabelModel, LabelJob)


def parse_function_set(raw: Mapping[str, Any]) -> LabelingFunctionSet:
    """Raises Stalled InvalidSpec."""
    return _parsed(raw, LabelingFunctionSet, FunctionSetStatus)


def parse_label_model(raw: Mapping[str, Any]) -> LabelModel:
    """Raises Stalled InvalidSpec."""
    return _parsed(raw, LabelModel, LabelModelStatus)


def parse_label_job(raw: Mapping[str, Any]) -> LabelJob:
    """Raises Stalled InvalidSpec."""
    return _parsed(raw, LabelJob, LabelJobStatus)


def problems_of(raw: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    """All that is wrong with a resource's spec, each with its path; for `labelplane validate`."""
    found = [f"{path}: is null: leave it out or give a value" for path in (_nulls(raw["spec"], "spec") if "spec" in raw else ())]
    name = str(raw.get("metadata", {}).get("name", ""))
    if len(name) > NAME_CHARACTERS:
        found.append(f"metadata.name: has {len(name)} characters, at most {NAME_CHARACTERS} fit: shorten it")
    try:
        model.model_validate({key: value for key, value in (("metadata", _metadata(raw)), ("spec", raw.get("spec"))) if value is not None}, strict=True)
    except ValidationError as error:
        found += _described(error)
    return list(dict.fromkeys(found))


def _parsed(raw: Mapping[str, Any], model: type[Resource], status: type[BaseModel]) -> Resource:
    problems = problems_of(raw, model)
    if problems:
        raise Stalled(ControlReason.INVALID_SPEC, "; ".join(problems)[:MESSAGE_CHARACTERS])
    parsed = model.model_validate({"metadata": _metadata(raw), "spec": raw["spec"]})
    return parsed.model_copy(update={"status": _status(raw, status)})


def _status(raw: Mapping[str, Any], model: type[BaseModel]) -> BaseModel:
    """The status, or an empty one: it is only a view and is rebuilt when somebody has spoilt it."""
    try:
        return model.model_validate(raw.get("status") or {})
    except ValidationError:
        return model()


def _metadata(raw: Mapping[str, Any]) -> dict[str, Any]:
    metadata = raw.get("metadata", {})
    return {"namespace": "default"} | {key: value for key, value in metadata.items() if value is not None}


def _described(error: ValidationError) -> Iterable[str]:
    for one in error.errors(include_input=False, include_url=False):
        text = said(one)
        path, inner = field_path(one["loc"]), _INNER.match(text)
        if inner:  # a rule across fields names the one that it found wrong
            path, text = f"{path}.{inner.group(1)}", inner.group(2)
        yield f"{path}: {text}"


def field_path(parts: Iterable[int | str]) -> str:
    """`spec.functions[3].regex`, as kubectl writes it."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _nulls(node: Any, path: str) -> Iterable[str]:
    if node is None:
        yield path
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if not (key == "row" and ".tests[" in f"{path}["):
                yield from _nulls(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _nulls(value, f"{path}[{index}]")


def key_of(raw: Mapping[str, Any]) -> Key:
    """Identity of a raw resource."""
    return Key(raw["kind"], raw["metadata"].get("namespace", "default"), raw["metadata"]["name"])
