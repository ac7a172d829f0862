"""C5: what shards left and cannot be removed keeps nothing else from going."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from labeljob.io.fit_files import discard_fits_until
from labeljob.io.left_behind import discard_until
from labeljob.io.quarantine_files import tidy
from tests.unit.job.builders import delta


def discard_runs(folder: Path) -> None:
    discard_until(folder, "app", 7)


def discard_fits(folder: Path) -> None:
    discard_fits_until(folder, 7)


def tidy_quarantine(folder: Path) -> None:
    delta(folder, ".", pa.table({"id": ["a"]}))
    tidy(folder, "app", 7)


@pytest.mark.parametrize(("remove", "below"), [(discard_runs, "_labelplane"), (discard_fits, "_labelplane"), (tidy_quarantine, "_quarantine")])
def test_a_folder_that_cannot_be_removed_keeps_no_other(tmp_path: Path, remove: Callable[[Path], None], below: str) -> None:
    """In whatever order a volume lists them; the failure is told, and a later one goes on as usual."""
    place = tmp_path / below
    for number in range(1, 9):
        (place / f"{number:08d}-dead").mkdir(parents=True)
    for number in range(3):
        (place / f"{number:08d}-link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="symbolic link"):
        remove(tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["00000000-link", "00000001-link", "00000002-link", "00000008-dead"]


def test_a_data_file_that_cannot_be_removed_keeps_its_folder(tmp_path: Path) -> None:
    """Its other files go; the folder stays, so that the next commit finds the run again."""
    (tmp_path / "_labelplane/00000001-dead").mkdir(parents=True)
    files = [tmp_path / f"labels-00000001-dead-{shard:04d}-00000.parquet" for shard in range(8)]
    for shard, path in enumerate(files):
        path.mkdir() if shard in (0, 3, 5) else path.touch()
    with pytest.raises(IsADirectoryError):
        discard_runs(tmp_path)
    assert [path.exists() for path in files] == [shard in (0, 3, 5) for shard in range(8)]
    assert (tmp_path / "_labelplane/00000001-dead").is_dir()
