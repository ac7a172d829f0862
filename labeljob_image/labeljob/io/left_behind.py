"""What runs leave beside a table, and what of it is removed: what no version names, and none will (DESIGN §4.1, §4.3).

    labels-<sequence>-<attempt>-….parquet    of another attempt at a sequence that is committed          `discard_attempts`
                                             of a run in shards, in whose place another is, or none      `discard_until`
    _labelplane/<sequence>-<attempt>/        of a run in shards                                          `discard_until`
    _quarantine/<sequence>-<attempt>/        that no commit names, or not one of the last               `quarantine_files.tidy`

Data files of a run go before its folder in `_labelplane`: while that stands, the next commit looks at them again.
"""

from contextlib import suppress
from pathlib import Path

from labeljob.io.delta_commits import QUARANTINE, RUNS, attempts, made_by
from labeljob.io.partition_names import data_files
from labeljob.io.places import Place, remove_each, remove_folder


def discard_attempts(folder: Place, app_id: str, sequence: int) -> None:
    """Remove the data files of attempts at the last sequences, up to `sequence`, that another attempt has committed."""
    made = {number: attempt for number, attempt in attempts(folder, app_id).items() if number <= sequence}

    def is_of_another(path: Place) -> bool:
        number, attempt = path.name.split("-")[1:3]
        return number.isdecimal() and made.get(int(number), attempt) != attempt

    remove_each(filter(is_of_another, data_files(folder, "labels-*-*-*.parquet")), lambda path: path.unlink(missing_ok=True))


def discard_until(folder: Place, app_id: str, sequence: int) -> None:
    """Remove what shards have left of the runs up to `sequence`, which is committed: nothing more of them can become visible.

    What became visible stays, and so does what may have: where the log has forgotten the time of a run.
    """
    remove_each(places_until(folder, sequence), lambda place: discard(folder, place, app_id))


def discard(folder: Place, place: Place, app_id: str, but: str | None = None) -> None:
    """Remove what the shards of one run have left, `place` being its folder in `_labelplane`, in which the file `but` stays."""
    sequence, _, attempt = place.name.partition("-")
    made = made_by(folder, app_id, int(sequence), attempt)
    if made is not None:
        unnamed = [path for path in data_files(folder, f"labels-{sequence}-{attempt}-*.parquet") if path.name not in made.files]
        remove_each(unnamed, lambda path: path.unlink(missing_ok=True))
        if made.version is None:
            remove_folder(folder / QUARANTINE / place.name)
    discard_place(folder, place, but)


def places_until(folder: Place, number: int, below: str = RUNS) -> list[Place]:
    """The folders `<number>-<attempt>` that lie in one of `folder`, up to a number: of a sequence, or of a version."""
    found = [(place.name.partition("-")[0], place) for place in (folder / below).glob("*-*")]
    return [place for of, place in found if of.isdecimal() and int(of) <= number]


def discard_place(folder: Place, place: Place, but: str | None = None) -> None:
    """Remove a folder in `_labelplane`, and that where nothing else is in it; the file `but` stays."""
    remove_folder(place, but)
    if isinstance(folder, Path):
        with suppress(OSError):  # others may be at work
            (folder / RUNS).rmdir()
