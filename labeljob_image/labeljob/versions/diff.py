"""What changed from one version of an output to another: rows, labels class by class, votes function by function.

    rows of both versions by id -> DuckDB, a full outer join that may spill -> counts, batch by batch
Memory grows with classes and functions, not with rows. Functions are compared by name, votes by the name of their class.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from labeljob.artifacts import ArtifactHome
from labeljob.contract.function_set import LABELS, FunctionSet
from labeljob.contract.versions import VersionsRequest
from labeljob.frozen_models import opened as opened_model
from labeljob.io.delta_commits import CommitRecord
from labeljob.io.locations import Locations
from labeljob.io.places import open_table
from labeljob.labeling_functions.quoting import identifier
from labeljob.multi_label.artifact import from_files as sets_from_files
from labeljob.multi_label.artifact import is_multi_label
from labeljob.resources import BATCH_ROWS, Resources
from labeljob.versions.history import opened, record_of
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, IntArray

NO_LABEL = "no label"


@dataclass(frozen=True)
class Side:
    """One of the two versions."""

    record: CommitRecord
    table: DeltaTable
    function_set: FunctionSet

    @property
    def functions(self) -> list[str]:
        return [function.name for function in self.function_set.enabled_functions]


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
        JobError: SOURCE_NOT_FOUND: no such version of this LabelJob's; MODEL_MISMATCH: a model version is gone; PIN_BROKEN.
    """
    table = opened(request, locations)
    home = ArtifactHome(locations.path(request.artifacts), request.artifacts)
    before, after = (_side(table, request, home, version, locations) for version in (request.before or 0, request.version))
    classes = list(dict.fromkeys([*before.function_set.classes, *after.function_set.classes]))
    changes = Changes(classes, [name for name in after.functions if name in before.functions])
    for batch in _joined(before, after, resources):
        _count(changes, batch, before, after)
    return _answer(request, changes, before, after)


def _side(table: DeltaTable, request: VersionsRequest, home: ArtifactHome, version: int, locations: Locations) -> Side:
    record = record_of(table, request, version)
    files = home.load(record.commit.model_version, record.commit.model_sha256)
    at_version = open_table(locations.path(request.output), version)
    artifact = sets_from_files(files, request.artifacts) if is_multi_label(files) else opened_model(locations, files, request.artifacts)
    return Side(record, at_version, artifact.function_set)


def _joined(before: Side, after: Side, resources: Resources) -> Iterator[pa.RecordBatch]:
    """Columns before, after (labels as lists of names; null: no such row), votes_before, votes_after."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(":memory:") as connection:
        connection.execute("SET threads = $1", [resources.threads])
        connection.execute("SET memory_limit = $1", [f"{resources.memory_bytes // 2 // (1 << 20)}MiB"])
        connection.execute("SET temp_directory = $1", [scratch])
        for name, side in (("b", before), ("a", after)):
            connection.register(name, pa.RecordBatchReader.from_stream(side.table.scan()))
        ids = [identifier(side.function_set.id_column) for side in (before, after)]
        columns = f"{_labels('b', before)} AS before, {_labels('a', after)} AS after, b.votes AS votes_before, a.votes AS votes_after"
        statement = f"SELECT {columns}, b.run IS NOT NULL AS was, a.run IS NOT NULL AS is_now FROM b FULL OUTER JOIN a ON b.{ids[0]} = a.{ids[1]}"  # noqa: S608 names are quoted
        yield from connection.sql(statement).to_arrow_reader(BATCH_ROWS)


def _labels(name: str, side: Side) -> str:
    """The labels of a row in one text: a name, or names in class order; null for none."""
    return f"array_to_string({name}.{LABELS}, '|')" if side.function_set.is_multi_label else f"{name}.label"


def _count(changes: Changes, batch: pa.RecordBatch, before: Side, after: Side) -> None:
    was, now = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("was", "is_now"))
    both = was & now
    changes.rows.update({"before": int(was.sum()), "after": int(now.sum()), "both": int(both.sum())})
    rows = batch.filter(pa.array(both))
    flipped = _count_labels(changes, rows)
    old, new = (_votes(rows.column(name), side, changes) for name, side in (("votes_before", before), ("votes_after", after)))
    voted, votes = old != ABSTAIN, new != ABSTAIN
    changed = old != new
    for place, cells in enumerate((~voted & votes, voted & ~votes, voted & votes & changed, changed & flipped[:, None])):
        changes.functions[:, place] += cells.sum(axis=0)


def _count_labels(changes: Changes, rows: pa.RecordBatch) -> BoolArray:
    """Rows whose label changed, bool [n_rows]."""
    pairs = pa.table({"before": rows.column("before"), "after": rows.column("after")})
    found = pairs.group_by(["before", "after"]).aggregate([([], "count_all")]).to_pylist()
    for one in found:
        old, new = one["before"], one["after"]
        if old != new:
            changes.flips[NO_LABEL if old is None else old, NO_LABEL if new is None else new] += one["count_all"]
            had, has = (set() if text is None else set(text.split("|")) for text in (old, new))
            changes.gained.update(dict.fromkeys(has - had, one["count_all"]))
            changes.lost.update(dict.fromkeys(had - has, one["count_all"]))
    old, new = (np.array(rows.column(name).to_pylist(), dtype=object) for name in ("before", "after"))
    return np.asarray(old != new, dtype=bool)


def _votes(column: pa.Array, side: Side, changes: Changes) -> IntArray:
    """Votes of the common functions by place in `changes.classes`, int64 [n_rows, n_common]."""
    votes = column.flatten().to_numpy(zero_copy_only=False).astype(np.int64).reshape(len(column), len(side.functions))
    places = np.array([*(changes.classes.index(name) for name in side.function_set.classes), PARTIAL, ABSTAIN])  # -1 is the last, -2 the last but one
    return np.asarray(places[votes[:, [side.functions.index(name) for name in changes.names]]])


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
    return {"version": side.table.version(), "run": commit.run, "finishedAt": commit.finished_at, "modelVersion": commit.model_version, "rows": commit.metrics.get("rows")}
