"""I1: the lines of docs/data.md read the labels in pandas, Polars and DuckDB."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.job.builders import function_set
from tests.unit.versions.test_versions import COLUMNS, HIGH, LOW, data, rows_at, run

PAGE = Path(__file__).parents[3] / "docs/data.md"


def lines() -> tuple[str, dict[str, str]]:
    """The code of the page that opens a table, and what reads it, by the name in its comment."""
    block = next(found for found in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "polars" in found)
    opened, _, readers = block.partition("\n\n")
    found = [line.rpartition("# ") for line in readers.splitlines()]
    return opened, {comment.partition(";")[0]: code.strip() for code, _, comment in found}


def test_every_reader_finds_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 1, function_set(COLUMNS, [*HIGH, *LOW]), data(tmp_path, "rows", 0))
    run(tmp_path, 2, function_set(COLUMNS, [*HIGH, *LOW]), data(tmp_path, "more", 100))
    (tmp_path / "labels").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    opened, readers = lines()
    exec(opened, names)
    read = {name: eval(code, names) for name, code in readers.items()}
    assert sorted(read) == ["DuckDB", "Polars", "pandas"]
    wanted = rows_at(tmp_path, 1)
    for found in (read["pandas"], read["Polars"].to_pandas(), read["DuckDB"].df()):
        rows = found.set_index("id").sort_index()
        assert list(rows.index) == list(wanted.index)
        assert list(rows["label"].fillna("none")) == list(wanted["label"].fillna("none"))
        assert [dict(one) for one in rows["probabilities"]] == list(wanted["probabilities"])
        assert [list(one) for one in rows["votes"]] == [list(one) for one in wanted["votes"]]
