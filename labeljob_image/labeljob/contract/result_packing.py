"""A `JobResult` made to fit a pod's termination message: what matters least is cut first, and never the reason or a pin.

    1. numbers rounded to 6 significant digits    2. functions cut to the worst 100, then 75, then intervals, then functions again
    3. warnings, drift and the history cut             4. the rarest classes of the label distribution cut
    5. the message of a failure trimmed
Pure: no I/O.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from labeljob.contract.digests import canonical_json
from labeljob.contract.result import FUNCTION_LIMIT, MESSAGE_BYTES, FunctionColumns, JobResult

Wired = dict[str, Any]
INTERVALS = ("accuracyLow", "accuracyHigh")
LISTS = ("polarity", "coverage", "overlaps", "conflicts", "errorRate", "estimatedAccuracy", *INTERVALS, "empiricalAccuracy", "weight")


def pack(result: JobResult, limit: int = MESSAGE_BYTES) -> bytes:
    """JSON of at most `limit` bytes that reads back as a JobResult."""
    wired: Wired = _rounded(result.wire())
    for cut in _cuts():
        data = canonical_json(wired)
        if len(data) <= limit and _fewest(wired) <= FUNCTION_LIMIT:
            break
        cut(wired)
    return canonical_json(wired)


def worst(functions: FunctionColumns, keep: int) -> list[int]:
    """Positions of the functions that most need a look: by error rate, conflicts, then low accuracy; ascending."""
    accuracy = [1000 if value is None else value for value in functions.estimated_accuracy]
    order = sorted(
        range(len(functions.coverage)), key=lambda i: (-functions.error_rate[i], -functions.conflicts[i], accuracy[i], i)
    )
    return sorted(order[:keep])


def _cuts() -> Iterator[Callable[[Wired], None]]:
    for keep in (FUNCTION_LIMIT, 75):
        yield partial(_keep_functions, keep=keep)
    yield _cut_intervals
    yield partial(_keep_functions, keep=50)
    yield _cut_notes
    for keep in (30, 15):
        yield partial(_keep_functions, keep=keep)
    yield partial(_keep_versions, keep=1)
    for keep in (20, 5, 0):
        yield partial(_keep_classes, keep=keep)
    for keep in (5, 0):
        yield partial(_keep_functions, keep=keep)
    for keep in (1000, 500, 200):
        yield partial(_trim_message, keep=keep)


def _keep_functions(wired: Wired, keep: int) -> None:
    for holder, name in _function_columns(wired):
        columns = FunctionColumns.model_validate(holder[name])
        if len(columns.coverage) > keep:
            chosen, index = worst(columns, keep), columns.index or list(range(len(columns.coverage)))
            lists = columns.wire()
            holder[name] = {"index": [index[i] for i in chosen]} | {key: [lists[key][i] for i in chosen] for key in LISTS if lists[key]}  # type: ignore[index]


def _cut_intervals(wired: Wired) -> None:
    for holder, name in _function_columns(wired):
        holder[name] = {key: values for key, values in holder[name].items() if key not in INTERVALS}


def _fewest(wired: Wired) -> int:
    """Most functions that any part of the result lists."""
    return max((len(holder[name]["coverage"]) for holder, name in _function_columns(wired)), default=0)


def _function_columns(wired: Wired) -> Iterator[tuple[Wired, str]]:
    for step, name in (("fit", "functions"), ("label", "functions"), ("resolve", "currentFunctions")):
        if name in wired.get(step, {}):
            yield wired[step], name


def _cut_notes(wired: Wired) -> None:
    wired["warnings"] = [text[:120] for text in wired.get("warnings", [])[:3]]
    if "versions" in wired.get("resolve", {}):
        wired["resolve"]["versions"] = wired["resolve"]["versions"][:5]
    for commit in _commits(wired):
        commit["drift"], commit["privacy"] = commit.get("drift", [])[:3], commit.get("privacy", [])[:2]
        if commit.get("quarantine"):
            commit["quarantine"]["breaches"] = commit["quarantine"].get("breaches", [])[:2]
    for version in (wired.get("fit", {}).get("version"), wired.get("resolve", {}).get("current")):
        if version:
            version["why"] = version["why"][:120]
            version["notes"] = [text[:120] for text in version.get("notes", [])[:1]]
            version["dependent"] = version.get("dependent", [])[:2]
            version["privacy"] = version.get("privacy", [])[:2]
            if "calibration" in version:
                version["calibration"]["why"] = version["calibration"]["why"][:120]


def _keep_versions(wired: Wired, keep: int) -> None:
    if "versions" in wired.get("resolve", {}):
        wired["resolve"]["versions"] = wired["resolve"]["versions"][:keep]


def _keep_classes(wired: Wired, keep: int) -> None:
    for commit in _commits(wired):
        ranked = sorted(commit["labelDistribution"].items(), key=lambda item: (-item[1], item[0]))
        commit["labelDistribution"] = dict(ranked[:keep])


def _commits(wired: Wired) -> list[Wired]:
    return [commit for commit in (wired.get("label", {}).get("commit"), wired.get("resolve", {}).get("commit")) if commit]


def _trim_message(wired: Wired, keep: int) -> None:
    if "failure" in wired:
        wired["failure"]["message"] = wired["failure"]["message"][:keep]


def _rounded(value: Any) -> Any:
    """Floats to 6 significant digits, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
