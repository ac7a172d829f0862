"""Rows that a run set apart, beside its output.

    output/_quarantine/<sequence>-<attempt>/
      <shard>-<n>.parquet          rows that a value breaks
      repeated-<n>.parquet         rows whose id several have

Readers of Delta, VACUUM included, pass over folders with an underscore. A folder counts once a commit names it. The names depend on the run alone, so that
another attempt puts the same rows in the same place.
"""

import shutil

from labeljob.io.delta_commits import QUARANTINE, quarantines
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place

KEPT_RUNS = 10  # as many as status.runs has
REPEATED = "repeated"
WORK = "_work-"  # begins the name of a folder in which files are at work


def remove_folder(place: Place) -> None:
    """Remove all that is below, as far as it can be."""
    if isinstance(place, ObjectPath):
        place.remove_below()
    else:
        shutil.rmtree(str(place), ignore_errors=True)


def tidy(output: Place, app_id: str, sequence: int) -> None:
    """Remove what runs up to `sequence`, which is committed, have left, but what the last commits name."""
    place = output / QUARANTINE
    if not place.is_dir():
        return
    named = set(quarantines(output, app_id)[:KEPT_RUNS])
    for folder in list(place.glob("*-*")):
        number = folder.name.partition("-")[0]
        if number.isdecimal() and int(number) <= sequence and folder.name not in named:
            remove_folder(folder)
        for left in list(folder.glob(f"{WORK}*")):
            remove_folder(left)
