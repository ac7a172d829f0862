"""C5: a run is one commit, made visible once, whatever happens on the way (DESIGN §4.1, §4.3)."""

import errno
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, FunctionColumns
from labeljob.io.delta_commits import CommitRecord, committed, open_output
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.left_behind import discard_attempts
from tests.unit.job.builders import fails

URI, APP = "pvc://lake/labels", "labelplane/default/rollouts"
SCHEMA = pa.schema([("id", pa.string()), ("label", pa.string())])


def batch(*ids: str, schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(list(ids), pa.string()), *([pa.array(["risky"] * len(ids))] * (len(schema) - 1))], schema=schema)


def about(sequence: int, digest: str = "d") -> Commit:
    values: dict[str, Any] = {"sequence": sequence, "run_digest": digest, "run": f"run-{sequence}", "table_id": "", "version": -1}
    values |= dict.fromkeys(("content_digest", "started_at", "finished_at", "model_sha256", "function_set_digest", "image"), "x")
    data = DatasetPin(uri="pvc://lake/events", format="delta", version=0, digest="x")
    return Commit(**values, data=data, model_version=1, metrics={}, label_distribution={})


def run(folder: Path, sequence: int, *ids: str, kind: type[DeltaWriter] = DeltaWriter, app: str = APP, schema: pa.Schema = SCHEMA) -> CommitRecord:
    """One attempt, from writing to commit, and to what is removed then."""
    writer = kind(folder, URI, app, sequence)
    writer.write([batch(*ids, schema=schema)] if ids else [], schema)
    record = writer.commit(about(sequence), FunctionColumns(), schema)
    discard_attempts(folder, app, sequence)
    return record


def ids(folder: Path, version: int | None = None) -> list[str]:
    return sorted(DeltaTable(folder, version=version).to_pyarrow_table().column("id").to_pylist())


def files(folder: Path) -> int:
    return len(list(folder.glob("*.parquet")))


def test_each_run_replaces_the_content_in_one_version(tmp_path: Path) -> None:
    assert run(tmp_path, 1, "a", "b").commit.version == 0
    assert run(tmp_path, 2, "c").commit.version == 1
    assert (ids(tmp_path), ids(tmp_path, 0)) == (["c"], ["a", "b"])
    assert DeltaTable(tmp_path).transaction_version(APP) == 2


def test_other_classes_are_another_schema_and_no_rows_are_a_version(tmp_path: Path) -> None:
    run(tmp_path, 1, "a")
    wider = SCHEMA.append(pa.field("more", pa.string()))
    run(tmp_path, 2, "b", schema=wider)
    assert DeltaTable(tmp_path).to_pyarrow_table().column_names == ["id", "label", "more"]
    assert run(tmp_path, 3, schema=wider).commit.version == 2
    assert ids(tmp_path) == []


def test_a_second_attempt_at_a_sequence_finds_the_first(tmp_path: Path) -> None:
    first = run(tmp_path, 1, "a")
    assert run(tmp_path, 1, "a") == first
    assert DeltaTable(tmp_path).version() == 0
    assert files(tmp_path) == 1


def test_an_earlier_sequence_must_not_write(tmp_path: Path) -> None:
    run(tmp_path, 2, "new")
    with fails(JobReason.SUPERSEDED, "run 2 of this LabelJob has been committed"):
        run(tmp_path, 1, "old")
    assert ids(tmp_path) == ["new"]
    assert files(tmp_path) == 1


def test_files_of_an_attempt_that_was_killed_stay_invisible_and_go(tmp_path: Path) -> None:
    run(tmp_path, 1, "a")
    DeltaWriter(tmp_path, URI, APP, 2).write([batch("half")], SCHEMA)  # and then nothing more
    assert (ids(tmp_path), files(tmp_path)) == (["a"], 2)
    run(tmp_path, 2, "b")
    assert (ids(tmp_path), files(tmp_path)) == (["b"], 2)  # those of versions 0 and 1


class ReplyLost(DeltaWriter):
    """The commit is made, and its answer does not arrive."""

    failure: Exception = CommitFailedError("the reply was lost")

    def _submit(self, *given: Any) -> None:
        super()._submit(*given)
        raise self.failure


class FullAfterwards(ReplyLost):
    """The commit is made, and something after it fails."""

    failure = OSError(errno.ENOSPC, "No space left on device")


class Full(DeltaWriter):
    """No room for the log's entry."""

    def _submit(self, *given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", [ReplyLost, FullAfterwards])
def test_a_commit_that_landed_is_a_success(tmp_path: Path, kind: type[DeltaWriter]) -> None:
    """Sequence 0 too: 0 is a transaction version."""
    for sequence in (0, 1):
        record = run(tmp_path, sequence, "a", kind=kind)
        assert (record.commit.sequence, record.commit.version) == (sequence, sequence)
    assert len(DeltaTable(tmp_path).history()) == 2
    assert ids(tmp_path) == ["a"]


def test_a_commit_that_did_not_land_leaves_nothing(tmp_path: Path) -> None:
    run(tmp_path, 1, "a")
    with fails(JobReason.VOLUME_FULL, "no room left to write"):
        run(tmp_path, 2, "b", kind=Full)
    assert (ids(tmp_path), files(tmp_path)) == (["a"], 1)
    assert committed(open_output(tmp_path, URI, APP), URI, APP, 2) is None


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Any:
        yield batch("b")
        raise OSError(errno.ENOSPC, "No space left on device")

    run(tmp_path, 1, "a")
    with fails(JobReason.VOLUME_FULL, "no room left to write"):
        DeltaWriter(tmp_path, URI, APP, 2).write(rows(), SCHEMA)
    assert (ids(tmp_path), files(tmp_path)) == (["a"], 1)


def test_the_record_is_found_behind_maintenance(tmp_path: Path) -> None:
    record = run(tmp_path, 1, "a")
    table = DeltaTable(tmp_path)
    for _ in range(22):  # more than are looked at first
        table.alter.set_table_properties({"delta.logRetentionDuration": "interval 7 days"})
    assert committed(open_output(tmp_path, URI, APP), URI, APP, 1) == record
    assert run(tmp_path, 2, "b").commit.version == 23


def test_what_belongs_to_others_is_refused(tmp_path: Path) -> None:
    for name in ("job", "theirs", "files"):
        (tmp_path / name).mkdir()
    run(tmp_path / "job", 1, "a", app="labelplane/default/other")
    write_deltalake(tmp_path / "theirs", pa.table({"id": ["mine"]}))
    (tmp_path / "files/notes.txt").write_text("mine")
    for name, why in (("job", "the output of labelplane/default/other"), ("theirs", "that no LabelJob wrote"), ("files", "not a Delta table")):
        with fails(JobReason.OUTPUT_CONFLICT, why):  # a step looks before it writes
            open_output(tmp_path / name, URI, APP)
    for name in ("job", "theirs"):
        with fails(JobReason.OUTPUT_CONFLICT, ""):  # and the writer before it commits
            run(tmp_path / name, 1, "b")
        assert DeltaTable(tmp_path / name).version() == 0


def test_a_new_volume_is_empty_enough(tmp_path: Path) -> None:
    """lost+found of a new file system, and files of an attempt that was killed before the first commit."""
    (tmp_path / "lost+found").mkdir()
    DeltaWriter(tmp_path, URI, APP, 1).write([batch("half")], SCHEMA)
    run(tmp_path, 1, "a")
    assert (ids(tmp_path), files(tmp_path)) == (["a"], 1)


RACE = """
import sys
from pathlib import Path
from tests.unit.job.test_delta_writer import run
print("ready", flush=True)
for sequence in sys.stdin:
    print(run(Path(sys.argv[1]), int(sequence), "a", "b").attempt, flush=True)
"""


def test_racing_attempts_make_one_version(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Four processes commit the same sequence at once, twice: one version each time, and all of them report it."""
    environment = {"PYTHONPATH": ":".join([str(pytestconfig.rootpath), *(path for path in sys.path if path)])}
    with ExitStack() as ended:
        call = [sys.executable, "-c", RACE, str(tmp_path)]
        racers = [ended.enter_context(subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)) for _ in range(4)]
        ends = [(racer.stdin, racer.stdout) for racer in racers if racer.stdin is not None and racer.stdout is not None]
        assert [said.readline() for _, said in ends] == ["ready\n"] * 4
        for sequence in (1, 2):
            for told, _ in ends:
                told.write(f"{sequence}\n")
                told.flush()
            answers = {said.readline() for _, said in ends}
            assert "" not in answers
            assert len(answers) == 1
            assert DeltaTable(tmp_path).version() == sequence - 1
            assert ids(tmp_path) == ["a", "b"]
            assert files(tmp_path) == sequence
    assert [racer.returncode for racer in racers] == [0] * 4
