"""What changed from one version of an output to another: rows, labels class by class, votes function by function.

    rows of both versions by id -> DuckDB, a full outer join that may spill -> counts, batch by batch
Memory grows with functions and with the pairs of labels, or sets of labels, that occur; not with rows. Functions are compared by name, votes by the names of
their classes, sets of labels whatever their order.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from labeljob.contract.function_set import LABELS
from labeljob.contract.versions import VersionsRequest
from labeljob.io.locations import Locations
from labeljob.io.spool import scratch_connection
from labeljob.labeling_functions.quoting import identifier
from labeljob.resources import BATCH_ROWS, Resources
from labeljob.versions.history import opened, still_there
from labeljob.versions.sides import Side, require_same_ids, sides_of
from labeljob.versions.vote_codes import codes_of
from labeljob.votes import ABSTAIN, BoolArray, IntArray

NO_LABEL, NO_CLASS = "no label", "none of the classes"  # the latter is a set of labels, and an empty one


@dataclass
class Changes:
    """Counts of what changed; `functions` [n_common, 4]: votes gained, lost, for another class, and changed on rows whose label changed."""

    classes: list[str]
    names: list[str]
    rows: Counter[str] = field(default_factory=Counter)
    flips: Counter[tuple[str, str]] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    functions: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.functions = np.zeros((len(self.names), 4), dtype=np.int64)


def diff(request: VersionsRequest, locations: Locations, resources: Resources) -> dict[str, Any]:
    """What changed from version `before` to `version`, as JSON data.

    Raises:
        JobError: SOURCE_NOT_FOUND: no such version of this LabelJob's; MODEL_MISMATCH: a model version is gone; PIN_BROKEN: files are;
            SCHEMA_BROKEN, HASH_KEY_CHANGED: the ids of one are not those of the other.
    """
    assert request.before is not None  # noqa: S101 the contract asks for it
    before, after = sides_of(opened(request, locations), request, (request.before, request.version), locations)
    require_same_ids(before, after, request.output)
    classes = list(dict.fromkeys([*before.function_set.classes, *after.function_set.classes]))
    changes = Changes(classes, [name for name in after.functions if name in before.functions])
    codes = codes_of([before.function_set, after.function_set], classes, changes.names)
    for batch in still_there(_rows(before, after, resources), locations.path(request.output), request.output, (before.table, after.table)):
        both, flipped = _count_rows(changes, batch)
        old, new = (code.votes(both.column(name), request.output) for code, name in zip(codes, ("votes_before", "votes_after"), strict=True))
        _count_votes(changes, old, new, flipped)
    return _answer(request, changes, before, after)


def _rows(before: Side, after: Side, resources: Resources) -> Iterator[pa.RecordBatch]:
    """Columns before, after (the labels of a row in one text; null: none), flipped, votes_before, votes_after, was, is_now (bool: is there such a row)."""
    with tempfile.TemporaryDirectory() as scratch, scratch_connection(resources, scratch) as connection:
        for name, side in (("b", before), ("a", after)):
            columns = [side.function_set.id_column, LABELS if side.function_set.is_multi_label else "label", "votes"]
            connection.register(name, pa.RecordBatchReader.from_stream(side.table.scan(columns=columns)))
        was, now = (f"{name}.{identifier(side.function_set.id_column)}" for name, side in (("b", before), ("a", after)))  # never null in a row
        old, new = _labels("b", before), _labels("a", after)
        labels = f"{old} AS before, {new} AS after, {old} IS DISTINCT FROM {new} AS flipped"
        found = f"{labels}, b.votes AS votes_before, a.votes AS votes_after, {was} IS NOT NULL AS was, {now} IS NOT NULL AS is_now"
        statement = f"SELECT {found} FROM b FULL OUTER JOIN a ON {was} = {now}"  # noqa: S608 names are quoted
        yield from connection.sql(statement).to_arrow_reader(BATCH_ROWS)


def _labels(name: str, side: Side) -> str:
    """The labels of a row in one text: a name, or the sorted names of a set; null for none."""
    return f"array_to_string(list_sort({name}.{LABELS}), '|')" if side.function_set.is_multi_label else f"{name}.label"


def _count_rows(changes: Changes, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, BoolArray]:
    """(the rows that both versions have, whose label changed: bool [n_rows])."""
    was, now = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("was", "is_now"))
    both = was & now
    changes.rows.update({"before": int(was.sum()), "after": int(now.sum()), "both": int(both.sum())})
    rows = batch.filter(pa.array(both))
    flipped = rows.column("flipped")
    _count_labels(changes, rows.filter(flipped))
    return rows, flipped.to_numpy(zero_copy_only=False)


def _count_labels(changes: Changes, rows: pa.RecordBatch) -> None:
    """Rows whose label changed."""
    pairs = pa.table({"before": rows.column("before"), "after": rows.column("after")})
    for one in pairs.group_by(["before", "after"]).aggregate([([], "count_all")]).to_pylist():
        old, new, count = one["before"], one["after"], one["count_all"]
        changes.flips[_shown(old), _shown(new)] += count
        had, has = (set(text.split("|")) if text else set() for text in (old, new))
        changes.gained.update(dict.fromkeys(has - had, count))
        changes.lost.update(dict.fromkeys(had - has, count))


def _shown(labels: str | None) -> str:
    return NO_LABEL if labels is None else labels or NO_CLASS


def _count_votes(changes: Changes, old: IntArray, new: IntArray, flipped: BoolArray) -> None:
    """Votes [n_rows, n_common], in codes that both share; flipped: bool [n_rows]."""
    voted, votes = old != ABSTAIN, new != ABSTAIN
    changed = old != new
    for place, cells in enumerate((~voted & votes, voted & ~votes, voted & votes & changed, changed & flipped[:, None])):
        changes.functions[:, place] += cells.sum(axis=0)


def _answer(request: VersionsRequest, changes: Changes, before: Side, after: Side) -> dict[str, Any]:
    rows = changes.rows
    counted = zip(changes.names, changes.functions.tolist(), strict=True)
    functions = [{"name": name} | dict(zip(("gained", "lost", "otherClass", "onFlippedRows"), counts, strict=True)) for name, counts in counted]
    return {
        "labelJob": request.job,
        "before": _about(before),
        "after": _about(after),
        "rows": {"both": rows["both"], "added": rows["after"] - rows["both"], "removed": rows["before"] - rows["both"]},
        "flipped": sum(changes.flips.values()),
        "flips": [{"from": old, "to": new, "rows": count} for (old, new), count in sorted(changes.flips.items(), key=lambda item: (-item[1], item[0]))],
        "classes": [{"name": name, "gained": changes.gained[name], "lost": changes.lost[name]} for name in changes.classes],
        "functions": functions,
        "functionsAdded": [name for name in after.functions if name not in before.functions],
        "functionsRemoved": [name for name in before.functions if name not in after.functions],
    }


def _about(side: Side) -> dict[str, Any]:
    commit = side.record.commit
    about = {"version": side.version, "idColumn": side.function_set.id_column, "rows": commit.metrics.get("rows")}
    return about | {"run": commit.run, "finishedAt": commit.finished_at, "modelVersion": commit.model_version}
