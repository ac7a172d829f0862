"""Only one harmless expression gets through: the syntax tree is walked against an allow-list.

1. Twice one statement: the text alone and the text in parentheses must parse to the same single SELECT item from the same
   bare table, so nothing in it (`true) FROM x --`, `1, 2`, `a; b`) can end the place where it is put.
2. Every node of DuckDB's own tree (`json_serialize_sql`) is of a listed class, calls a listed function, casts to a listed
   type, or names a readable column. What is not listed is refused: subqueries, windows, lambdas, stars, parameters, lists.
3. What is left must bind to BOOLEAN over an empty table of the declared types.
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from labeljob.labeling_functions.connection import ROWS
from labeljob.labeling_functions.scope import Scope, refusal, undeclared
from labeljob.labeling_functions.sql_functions import (
    ALLOWED,
    CONSTANT_ARGUMENTS,
    MAX_TEXT_BUILDING,
    REMEDIES,
    TEXT_BUILDING,
    TYPES,
)

Node = dict[str, Any]
NOT_ONE = "must be one expression over declared columns: no second statement, list, alias, FROM, or unbalanced parenthesis or comment"
OPERATORS = frozenset({"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE", "COMPARE_IN", "COMPARE_NOT_IN"})
NAMES = {
    "SUBQUERY": "a subquery: a labeling function reads one row; use a lookup for a table",
    "WINDOW": "a window function: a labeling function sees one row; compute it upstream",
    "LAMBDA": "a lambda: rewrite without lists",
    "LAMBDA_REF": "a lambda: rewrite without lists",
    "STAR": "*: name the columns",
    "PARAMETER": "a parameter: write the value itself",
    "POSITIONAL_REFERENCE": "#n: name the column",
    "COLLATE": "COLLATE: compare lower(column)",
    "DEFAULT": "DEFAULT: write the value itself",
}
LOCATIONS = frozenset({"query_location", "query_location_length"})


class Refused(Exception):
    """The text is refused; the message says what to use instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def expression(text: str, connection: Any) -> Node:
    """The tree of the one expression that the text is.

    Raises:
        Refused: the text is not one expression.
    """
    bare, inner = _select(f"SELECT\n{text}\nFROM t", connection), _select(f"SELECT (\n{text}\n) FROM t", connection)  # noqa: S608 - parsed only
    reference = _select("SELECT true FROM t", connection)
    items = bare.pop("select_list"), inner.pop("select_list")
    reference.pop("select_list")
    if bare != reference or inner != reference or items[0] != items[1] or len(items[0]) != 1 or items[0][0].get("alias"):
        raise Refused(NOT_ONE)
    node: Node = items[0][0]
    return node


def _select(statement: str, connection: Any) -> Node:
    try:
        parsed = connection.extract_statements(statement)
        if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.SELECT:
            raise Refused(NOT_ONE)
        answer = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()[0][0]
        tree = json.loads(answer, object_hook=_without_locations)
    except duckdb.Error as error:
        raise Refused(f"is not a DuckDB expression: {first_line(error)}") from None
    except RecursionError:
        raise Refused("is nested too deeply: split it into several labeling functions") from None
    if tree.get("error"):
        raise Refused(f"is not a DuckDB expression: {tree.get('error_message', NOT_ONE)}")
    node: Node = tree["statements"][0]["node"]
    return node


def _without_locations(node: Node) -> Node:
    return {key: value for key, value in node.items() if key not in LOCATIONS}


def first_line(error: Exception) -> str:
    """What DuckDB says of a manifest's text, in one line."""
    line = next((line for line in str(error).split("\n") if line.strip()), "")
    if "expression depth" in line:
        return "it is nested too deeply; split it into several labeling functions"
    return line.split("Error: ", 1)[-1]


def walk(root: Node) -> Iterator[Node]:
    """Every expression node, refusing the first that is not of an allowed class.

    Raises:
        Refused: a node is not on the list.
    """
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(_children(node)))


def _children(node: Node) -> list[Node]:  # noqa: PLR0911 - one line for each allowed class
    match node:
        case {"class": "CONSTANT", "type": "VALUE_CONSTANT"} | {"class": "COLUMN_REF", "type": "COLUMN_REF"}:
            return []
        case {"class": "COMPARISON", "left": left, "right": right}:
            return [left, right]
        case {"class": "CONJUNCTION", "children": children}:
            return list(children)
        case {"class": "OPERATOR", "type": kind, "children": children} if kind in OPERATORS:
            return list(children)
        case {"class": "BETWEEN", "input": value, "lower": lower, "upper": upper}:
            return [value, lower, upper]
        case {"class": "CASE", "case_checks": checks, "else_expr": otherwise}:
            return [part for check in checks for part in (check["when_expr"], check["then_expr"])] + [otherwise]
        case {"class": "CAST", "child": child, "type_expr": {"class": "TYPE"}}:
            return [child]
        case {"class": "FUNCTION", "arguments": arguments}:
            return [argument["expression"] for argument in arguments]
    raise Refused(f"may not use {_described(node)}")


def _described(node: Node) -> str:
    kind, name = str(node.get("class")), str(node.get("type")).removeprefix("OPERATOR_").lower()
    return NAMES.get(kind, f"{name.replace('_', ' ')}: use comparisons, AND, OR, NOT, CASE and the allowed functions")


def problems(text: str, scope: Scope) -> list[str]:
    """Everything that is wrong with the text of a `sql` labeling function; empty when it may run."""
    try:
        nodes = list(walk(expression(text, scope.connection)))
    except Refused as refused:
        return [refused.message]
    found = [message for node in nodes for message in _node_problems(node, scope)]
    if _text_built(nodes) > MAX_TEXT_BUILDING:
        found.append(f"builds text more than {MAX_TEXT_BUILDING} times: split it into several labeling functions")
    return list(dict.fromkeys(found)) or _binding_problems(text, scope)


def _node_problems(node: Node, scope: Scope) -> Iterator[str]:
    match node["class"]:
        case "COLUMN_REF":
            yield from _column_problems(node["column_names"], scope)
        case "FUNCTION":
            yield from _function_problems(node)
        case "CAST":
            yield from _cast_problems(node["type_expr"])
        case "CONSTANT" if node.get("literal", {}).get("kind") not in ("INTEGER", "NUMERIC", "STRING", "BOOLEAN", "NULL_LITERAL"):
            yield "may not use a literal other than a number, text, true, false or null"


def _column_problems(names: list[str], scope: Scope) -> Iterator[str]:
    if len(names) != 1:
        yield f"may not use the qualified name {'.'.join(names)}: name the column alone (in double quotes if it holds a dot)"
        return
    column = find_column(names[0], scope)
    if column is None:
        yield _refused_call(names[0]) if names[0].lower() in REMEDIES else undeclared(names[0])
        return
    refused = refusal(column)
    if refused:
        yield refused


def find_column(name: str, scope: Scope) -> Any:
    """The declared column that SQL means: names compare without case."""
    return next((column for column in scope.function_set.schema_.columns if column.name.lower() == name.lower()), None)


def _refused_call(name: str) -> str:
    remedy = REMEDIES.get(name.lower(), "it is not one of the allowed functions (see the documentation of sql labeling functions)")
    return f"may not use {name}: {remedy}"


def _function_problems(node: Node) -> Iterator[str]:
    name, arguments = node["function_name"].lower(), [argument["expression"] for argument in node["arguments"]]
    if name not in ALLOWED:
        yield _refused_call(node["function_name"])
        return
    if _is_dressed(node):
        yield f"may only call {name} plainly: no schema, method call, DISTINCT, FILTER, ORDER BY or named argument"
    if name in CONSTANT_ARGUMENTS and not all(argument["class"] == "CONSTANT" for argument in arguments[1:]):
        yield f"may call {name} with constants only after the first argument"
        return
    if name in ("replace", "regexp_replace") and _may_grow(name, arguments):
        yield f"may call {name} only so that text cannot grow: " + (
            "the replacement must be '', use regexp_extract otherwise" if name == "regexp_replace" else "replace by text that is no longer"
        )


def _is_dressed(node: Node) -> bool:
    extras = [node["filter"], node["distinct"], node["export_state"], node["order_bys"]["orders"], node["schema"], node["catalog"]]
    extras += [argument["name"] for argument in node["arguments"]]
    return any(extras) or len(node["qualified_name"]["path"]) != 1


def _may_grow(name: str, arguments: list[Node]) -> bool:
    texts = [str(argument["literal"]["text"]).encode() for argument in arguments[1:3]]
    if len(texts) < 2:
        return False  # binding refuses it
    return bool(texts[1]) if name == "regexp_replace" else len(texts[1]) > len(texts[0])


def _cast_problems(type_expr: Node) -> Iterator[str]:
    name = str(type_expr["type_name"]).upper()
    plain = all(child.get("class") == "CONSTANT" for child in type_expr["children"]) and len(type_expr["qualified_name"]["path"]) == 1
    if name not in TYPES or not plain:
        yield f"may not cast to {name}: use BOOLEAN, BIGINT, DOUBLE, DECIMAL, VARCHAR, DATE, TIME, TIMESTAMP or INTERVAL"


def _text_built(nodes: list[Node]) -> int:
    calls = [node for node in nodes if node["class"] == "FUNCTION" and node["function_name"].lower() in TEXT_BUILDING]
    return sum(max(len(node["arguments"]) if node["function_name"].lower().startswith("concat") else 1, 1) for node in calls)


def _binding_problems(text: str, scope: Scope) -> list[str]:
    try:
        answer = scope.connection.execute(f"SELECT (\n{text}\n) FROM {ROWS}")  # noqa: S608 - guarded above
        kind = str(answer.description[0][1])
        answer.fetchall()
    except duckdb.Error as error:
        return [f"does not fit the declared columns: {first_line(error)}"]
    return [] if kind == "BOOLEAN" else [f"is {kind}, must be BOOLEAN: compare it with something"]


def columns(text: str, scope: Scope) -> tuple[str, ...]:
    """The declared columns that a checked text reads, in the order of the schema."""
    nodes = walk(expression(text, scope.connection))
    named = {node["column_names"][0].lower() for node in nodes if node["class"] == "COLUMN_REF"}
    return tuple(column.name for column in scope.function_set.schema_.columns if column.name.lower() in named)
