"""Rows that a run set apart, beside its output.

    output/_quarantine/<sequence>-<attempt>/
      <shard>-<n>.parquet          rows that a value breaks
      repeated-<n>.parquet         rows whose id several have

Readers of Delta, VACUUM included, pass over folders with an underscore. A folder counts once a commit names it. The names depend on the run alone, so that
another attempt puts the same rows in the same place.
"""

from labeljob.io.delta_commits import QUARANTINE, quarantines
from labeljob.io.left_behind import places_until
from labeljob.io.places import Place, remove_each, remove_folder

KEPT_RUNS = 10  # as many as status.runs has
REPEATED = "repeated"
WORK = "_work-"  # begins the name of a folder in which files are at work


def tidy(output: Place, app_id: str, sequence: int) -> None:
    """Remove what runs up to `sequence`, which is committed, have left, but what the last commits name."""
    place = output / QUARANTINE
    if not place.is_dir():
        return
    folders = {folder.name: folder for folder in place.glob("*-*")}
    named = [name for name in dict.fromkeys(quarantines(output, app_id)) if name in folders]  # a rollback names a folder again, or one that is gone
    gone = [folder for folder in places_until(output, sequence, QUARANTINE) if folder.name not in named[:KEPT_RUNS]]
    work = [left for folder in folders.values() if folder not in gone for left in folder.glob(f"{WORK}*")]
    remove_each([*gone, *work], remove_folder)
