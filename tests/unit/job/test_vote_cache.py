"""What is kept of units and what it is known by: plans, looks, and the files with votes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from labeljob.contract.config import LabelTask
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.function_set import FunctionSet
from labeljob.io.fit_files import FitSummary
from labeljob.looks import Looks
from labeljob.model_artifact import VotingSet
from labeljob.steps.piecewise import SLACK
from labeljob.vote_cache.alignment import aligned
from labeljob.vote_cache.keys import contract_key, function_keys
from labeljob.vote_cache.manifest import Found, KeptUnit, Manifest, PartVotes, VotesFile, best_of
from labeljob.vote_cache.places import WORK, VotesPlaces
from labeljob.vote_cache.shared_ids import counted_out
from labeljob.vote_cache.sinks import PartSinks
from labeljob.vote_cache.units import Chained, Unit, planned
from labeljob.vote_cache.votes_file import ID, Columns, UnusableVotesError
from tests.unit.job.lake import PLAIN, declared

TASK = LabelTask(
    data=DatasetPin(uri="pvc://lake/data", format="parquet", digest="d"), artifacts="pvc://lake/model", model_name="model", model_version=1, model_sha256="m",
    output="pvc://lake/labels", app_id="app", sequence=1, run_digest="d", run="job-d-1", image="i",
)  # fmt: skip


def test_what_another_build_has_written_in_a_format_of_its_own_is_not_kept() -> None:
    """Guarantee 2: whatever its fields are called."""
    for one in (Manifest(model_sha256="m"), FitSummary(digest="f", shards=1, shard=0, split="", rows=0, votes_size=0, tally_size=0)):
        assert type(one).model_validate(one.wire()) == one
        with pytest.raises(ValidationError, match="formatVersion"):
            type(one).model_validate(one.wire() | {"formatVersion": 9})


def test_rows_in_no_known_order_are_all_evaluated_or_none() -> None:
    """Item 3: what the Delta engine reads comes in any order, so that votes could not be put beside others."""
    source = Chained(None, [])  # type: ignore[arg-type] never read
    file = VotesFile(name="f", size=1, looks_size=1, functions=("a", "b"), expected=0)
    best = {key: Found(KeptUnit(key=key, rows=1, file=0, groups=(0, 1), looks=0, run="r", lacks=lacks), file) for key, lacks in (("whole", ()), ("some", (1,)), ("any", (1,)))}
    units = [Unit("whole", source, in_order=False), Unit("some", source), Unit("any", source, in_order=False), Unit("new", source)]
    plan = planned(units, best, ("a", "b"))
    assert [(one.found is not None, one.missing) for one in plan] == [(True, ()), (True, (1,)), (False, (0, 1)), (False, (0, 1))]
    assert [one.missing for one in planned(units[:1], best, ("b",))] == [()]


def test_what_is_seen_of_rows_is_enough_for_half_of_them() -> None:
    """Guarantee 2: what is kept of the looks at the units of a dataset, merged, is what is seen of any half of them or more; where less is left, nothing is taken."""
    rows, functions, random = 80_000, declared(PLAIN), np.random.default_rng(0)
    notes = ["a@example.org" if i % 3 == 0 else f"note {i}" for i in range(rows)]
    data = pa.record_batch({"id": [f"r{i}" for i in range(rows)], "note": notes, "p": random.random(rows)})
    pieces = [data.slice(start, rows // 8) for start in range(0, rows, rows // 8)]
    units = [seen(functions, [piece], rows // SLACK) for piece in pieces]
    for number, enough in ((1, False), (4, True), (8, True)):
        merged, whole = Looks(functions), seen(functions, pieces[:number])
        for unit in units[:number]:
            merged.merge(Looks.from_bytes(functions, *unit.to_bytes()))
        assert (merged.sample.table().equals(whole.sample.table()), merged.scan.to_bytes() == whole.scan.to_bytes()) == (enough, enough)
    file = VotesFile(name="f", size=1, looks_size=1, functions=("a",), expected=rows // SLACK)
    manifest = Manifest(model_sha256="m", files=(file,), units=(KeptUnit(key="u", rows=1, file=0, groups=(0, 1), looks=0, run="r"),))
    unit = Unit("u", Chained(None, []))  # type: ignore[arg-type] never read
    for left_, found in ((rows // 2, True), (rows // 2 - 1, False)):
        (plan,) = planned([unit], best_of([manifest], {"u"}, {file: True}, frozenset({"a"}), left_), ("a",))
        assert (plan.found is not None, plan.missing) == (found, () if found else (0,))


def seen(functions: FunctionSet, batches: list[pa.RecordBatch], expected: int | None = None) -> Looks:
    looks = Looks(functions)
    if expected is not None:
        looks.expect(expected)
    for batch in batches:
        looks.add(batch, batch.column("id"))
    return looks


def test_what_a_function_is_known_by() -> None:
    """Item 3: its code, but not the time that it is given; and the build, the image and the key beside the contract."""
    python = {"name": "mine", "python": {"entrypoint": "mine:vote", "columns": ["note"]}}
    keys = [
        function_keys(VotingSet(declared([one]), {}, code={one["name"]: code}))[0]
        for one, code in ((python, "1"), (python, "2"), (python | {"name": "other", "python": python["python"] | {"timeoutSeconds": 5}}, "1"))
    ]
    assert keys[0] == keys[2] != keys[1]
    first = contract_key(declared(), {}, None, ["build", "image"])
    others = [contract_key(declared(), {}, None, ["build", "other"]), contract_key(declared(), {}, "key", ["build", "image"])]
    assert len({first, *others, contract_key(declared(), {"note": pa.string()}, None, ["build", "image"])}) == 4


@pytest.mark.parametrize("seed", range(5))
def test_kept_votes_and_rows_that_are_read_again_in_step(seed: int) -> None:
    """Guarantee 2: whatever batches either comes in, and only while both are the same rows."""
    random, ids = np.random.default_rng(seed), [f"r{i}" for i in range(200)]

    def batches(rows: list[str], name: str) -> list[pa.RecordBatch]:
        ends = [0, *sorted(random.integers(0, len(rows) + 1, 7).tolist()), len(rows)]
        return [pa.RecordBatch.from_pydict({ID: rows[a:b], name: rows[a:b]}, schema=pa.schema([(ID, pa.string()), (name, pa.string())])) for a, b in pairwise(ends)]

    pairs = list(aligned(batches(ids, "kept"), batches(ids, "read")))
    assert [one for kept, _ in pairs for one in kept.column("kept").to_pylist()] == ids
    assert all(kept.column("kept").equals(read.column("read")) for kept, read in pairs)
    for other in (ids[:-1], [*ids, "more"], [*ids[:50], "x", *ids[51:]]):
        for one, two in ((ids, other), (other, ids)):
            with pytest.raises(UnusableVotesError):
                list(aligned(batches(one, "kept"), batches(two, "read")))


def test_a_failure_at_the_end_leaves_nothing_at_work(tmp_path: Path) -> None:
    """Guarantee 3: files that are written and cannot be put in their places are removed."""
    places = VotesPlaces(tmp_path, TASK, 1)
    sinks = PartSinks(places, TASK.output, name := places.new_name(0), Columns(("a",), (0,)), pa.string(), 0)
    sinks.add_looks(Looks(declared(PLAIN)))
    sinks.add_votes(pa.array(["r"]), {"a": pa.array([1], pa.int8())})
    places.votes(name).mkdir(parents=True)
    (places.votes(name) / "theirs").touch()
    with pytest.raises(OSError, match=name):
        sinks.finish()
    sinks.abandon()
    assert [path.name for path in places.folder.iterdir() if WORK in path.name] == []


def test_units_of_rows_that_are_set_apart_name_no_run(tmp_path: Path) -> None:
    """F3: told by the ids beside their votes; such rows count as taken nowhere, and what cannot be read is not kept."""
    places = VotesPlaces(tmp_path, TASK, 1)
    sinks = PartSinks(places, TASK.output, places.new_name(0), Columns(("a",), (0,)), pa.string(), 0)
    sinks.add_looks(Looks(declared(PLAIN)))
    units = list[KeptUnit]()
    for ids in (["a", "b"], ["c"]):
        group = sinks.add_votes(pa.array(ids), {"a": pa.array([1] * len(ids), pa.int8())})
        units.append(KeptUnit(key=ids[0], rows=len(ids), file=0, groups=(group, 1), looks=0, run="first"))
    file = sinks.finish()
    assert file is not None
    whole = PartVotes(files=(file,), units=tuple(units), taken=((2, 1), (1, 0)))
    found = counted_out(whole, [pa.array(["b"]), pa.array(["x"])], places, 10)
    assert [one.run for one in found.units] == ["", "first"]
    assert (whole.reused(1), found.reused(1), found.reused(2)) == ((2, 2), (1, 1), (0, 1))
    places.votes(file.name).unlink()
    assert counted_out(whole, [pa.array(["b"])], places, 10).units == ()
    assert counted_out(whole, [], places, 10) == whole
