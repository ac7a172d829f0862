"""Writes the rows of a run as files, then makes them visible in one commit, exactly once (C5, DESIGN §4.1 and §4.3).

    files (fsync) -> commit N+1 with txn(app_id, sequence) -> done
                          | fails, or the reply is lost
                          v
             reopen: txn == mine  -> it is there: take its record     txn > mine -> SUPERSEDED
                     txn <  mine  -> another writer took N+1: commit on top of it

A kill before the commit leaves files no version names; a kill after it leaves a complete version. Files of other attempts at the same
sequence can never become visible once it is committed, and are left to `left_behind`.

The files of a run in shards are written before, by others, and belong to no attempt: an attempt that fails leaves them to the next.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from labeljob.contract.partitioning import PartitionColumn
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, FunctionColumns
from labeljob.errors import JobError
from labeljob.io.data_files import DataFile, statistics_of
from labeljob.io.delta_commits import CommitRecord, commit_properties, committed, flush_log, open_output, require_partitions
from labeljob.io.durable import flush_folder
from labeljob.io.failures import writing
from labeljob.io.partition_names import data_files, partition_values
from labeljob.io.partitions import write_rows
from labeljob.io.places import Place, table_address

ATTEMPTS = 50


class DeltaWriter:
    """One attempt at one sequence of one output table; `written`: the files of a run in shards, and the name of its attempt."""

    def __init__(
        self, folder: Place, uri: str, app_id: str, sequence: int, written: tuple[str, Sequence[DataFile]] | None = None, partition_by: PartitionColumn | None = None
    ) -> None:
        self._folder, self._uri, self._partition_by = folder, uri, partition_by
        self._app_id, self._sequence = app_id, sequence
        self._attempt, files = written or (uuid.uuid4().hex, ())
        self._files, self._owns_files = list(files), written is None

    def write(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """The rows as data files beside the table's; what this attempt wrote is removed when it fails.

        Another attempt that commits this sequence meanwhile takes the files away: there is nothing left to write, and `commit` finds its record.
        """
        try:
            with writing(self._uri, self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                self._files = write_rows(batches, schema, self._folder, self._name, self._partition_by)
                if isinstance(self._folder, Path):
                    flush_folder(self._folder)
        except BaseException as error:
            self.discard()
            if not (isinstance(error, FileNotFoundError) and self._overtaken()):
                raise
            self._files.clear()

    def commit(self, commit: Commit, functions: FunctionColumns, schema: pa.Schema) -> CommitRecord:
        """Make the files visible, or find that an earlier attempt at this sequence did.

        Raises:
            JobError: SUPERSEDED, OUTPUT_CONFLICT, VOLUME_FULL, OUTPUT_NOT_WRITABLE. The table is as it was then.
        """
        try:
            with writing(self._uri, self._folder):
                record = self._commit(commit, functions, schema)
        except BaseException as error:
            landed = self._landed()
            if landed is None or not isinstance(error, Exception):
                raise
            record = landed  # what failed came after the commit
        flush_log(self._folder)  # it is on the disk too when the result says so
        return record

    def discard(self) -> None:
        """Remove the files of this attempt."""
        for path in data_files(self._folder, f"labels-*-{self._attempt}-*.parquet") if self._owns_files else ():
            path.unlink(missing_ok=True)

    def _name(self, index: int) -> str:
        return f"labels-{self._sequence:08d}-{self._attempt}-{index:05d}.parquet"

    def _commit(self, commit: Commit, functions: FunctionColumns, schema: pa.Schema) -> CommitRecord:
        for _ in range(ATTEMPTS):
            table = open_output(self._folder, self._uri, self._app_id)
            if (done := committed(table, self._uri, self._app_id, self._sequence)) is not None:
                return done
            try:
                self._submit(table, commit_properties(self._app_id, self._attempt, commit, functions), schema)
            except DeltaError as error:  # another writer was first, or the reply was lost: look again
                if not (isinstance(error, CommitFailedError) or "already exists" in str(error)):
                    raise
        raise CommitFailedError(f"{ATTEMPTS} other writers were first")

    def _submit(self, table: DeltaTable | None, properties: CommitProperties, schema: pa.Schema) -> None:
        actions = [_action(file, schema.names[0]) for file in self._files]
        delta_schema = Schema.from_arrow(schema)
        if table is None:
            address, options = table_address(self._folder)
            columns = [self._partition_by] if self._partition_by else None
            create_table_with_add_actions(address, delta_schema, actions, mode="error", partition_by=columns, commit_properties=properties, **options)
        else:
            require_partitions(table, self._uri, self._partition_by)
            table.create_write_transaction(actions, "overwrite", delta_schema, commit_properties=properties)

    def _landed(self) -> CommitRecord | None:
        """After a failure: this attempt's commit if it is there; if not, its files are removed.

        Where the log cannot be read the files stay: they may be visible.
        """
        try:
            table = open_output(self._folder, self._uri, self._app_id)
            done = committed(table, self._uri, self._app_id, self._sequence)
        except JobError as error:
            if error.reason is JobReason.SUPERSEDED:
                self.discard()
            return None
        except (DeltaError, OSError):
            return None
        if done is not None and done.attempt == self._attempt:
            return done
        self.discard()
        return None

    def _overtaken(self) -> bool:
        """Whether another attempt has committed this sequence."""
        return committed(open_output(self._folder, self._uri, self._app_id), self._uri, self._app_id, self._sequence) is not None


def _action(file: DataFile, id_column: str) -> AddAction:
    return AddAction(file.name, file.size, partition_values(file.name), 0, data_change=True, stats=json.dumps(statistics_of(file, id_column)))
