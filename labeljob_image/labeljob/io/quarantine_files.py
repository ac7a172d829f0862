"""Rows that a run set apart, beside its output.

    output/_quarantine/<sequence>-<attempt>/
      <shard>-<n>.parquet          rows that a value breaks
      repeated-<n>.parquet         rows whose id several have

Readers of Delta, VACUUM included, pass over folders with an underscore. A folder counts once a commit names it. The names depend on the run alone, so that
another attempt puts the same rows in the same place.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from labeljob.io.data_files import DataFile, write_data_files
from labeljob.io.delta_commits import QUARANTINE, quarantines
from labeljob.io.durable import flush_folder

KEPT_RUNS = 10  # as many as status.runs has
REPEATED = "repeated"
WORK = "_work-"  # begins the name of a folder in which files are at work


def write_apart(folder: Path, work: Path, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[DataFile, ...]:
    """The batches as files `<name>-<n>.parquet` in `folder`, put there from `work` once all are written."""
    files = write_data_files(batches, schema, lambda n: work / f"{name}-{n:05d}.parquet")
    if files:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (work / file.name).rename(folder / file.name)
        flush_folder(folder)
    return tuple(files)


def tidy(output: Path, app_id: str, sequence: int) -> None:
    """Remove what runs up to `sequence`, which is committed, have left, but what the last commits name."""
    place = output / QUARANTINE
    if not place.is_dir():
        return
    named = set(quarantines(output, app_id)[:KEPT_RUNS])
    for folder in place.glob("*-*"):
        number = folder.name.partition("-")[0]
        if number.isdecimal() and int(number) <= sequence and folder.name not in named:
            shutil.rmtree(folder, ignore_errors=True)
        for left in folder.glob(f"{WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
