"""YAML as kubectl reads it: on its way to JSON, where a date is text, 1e-6 a number and every key a string."""

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

_BEGINS_A_NUMBER = list("-+0123456789.")
_INT = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$")
_OTHERWISE_READ = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:value")


MAX_VALUES = 1_000_000  # 1.5 MiB of JSON, the most that an API server keeps, holds fewer


class RepeatedKey(yaml.YAMLError):
    """A key that stands twice: the first value would be lost without a word."""


class TooMuch(yaml.YAMLError):
    """More than anybody writes: aliases of aliases that grow without end, or nesting that no parser follows."""


class _Loader(yaml.SafeLoader):
    """SafeLoader where the two differ, and which builds nothing from a text that would grow without end."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERWISE_READ] for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


    def compose_document(self) -> yaml.Node | None:
        """The next document's tree. Raises TooMuch."""
        node: yaml.Node | None = super().compose_document()
        if node is not None and _values(node, {}) > MAX_VALUES:
            raise TooMuch(f"it stands for more than {MAX_VALUES:,} values, aliases followed: no manifest has so many")
        return node


def documents(text: str) -> Iterator[Any]:
    """Every document of a text; an empty one is None. Raises yaml.YAMLError."""
    try:
        yield from yaml.load_all(text, Loader=_Loader)
    except RecursionError:
        raise TooMuch("it is nested too deeply: no manifest has so many levels") from None


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, each alias counted as what it names; a node inside itself is refused when it is built."""
    if id(node) not in known:
        known[id(node)] = 1
        children = node.value if isinstance(node, yaml.SequenceNode) else ()
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        known[id(node)] += sum(_values(child, known) for child in children)
    return known[id(node)]


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict[Hashable, Any]]:
    content: dict[Hashable, Any] = {}
    yield content  # an anchor may stand inside what it names
    seen: set[str] = set()
    for key_node, _ in node.value:
        if key_node.tag != "tag:yaml.org,2002:merge":
            key = _key(loader.construct_object(key_node, deep=True))
            if key in seen:
                raise RepeatedKey(f"line {key_node.start_mark.line + 1}: key {key!r} stands twice: keep one")
            seen.add(key)
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        content[_key(loader.construct_object(key_node, deep=True))] = loader.construct_object(value_node, deep=True)


def _key(value: object) -> str:
    """A key as JSON has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _int(_loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value).replace("_", "")
    digits = text.lstrip("+-")
    base = 0 if digits[:2].lower() in ("0b", "0o", "0x") else 8 if digits.startswith("0") and len(digits) > 1 else 10
    return int(text, base)


def _float(_loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(str(node.value).replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, _BEGINS_A_NUMBER)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, _BEGINS_A_NUMBER)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
