"""A run whose data is far above its memory limit ends well, and the kernel sees to it that it stayed within."""

from pathlib import Path

from benchmarks.limits import limited
from benchmarks.shards import first_rows, fitted, generate, run

LIMIT, ROWS, FILLER = 384 << 20, 170_000, 140
TIMES = 2  # the data in memory, of the limit


def test_a_folder_that_is_no_cgroup_limits_nothing(tmp_path: Path) -> None:
    """Where the controllers are mounted elsewhere, root may make folders all the same; none is left, and nobody says that the kernel limits anything."""
    (tmp_path / "memory").mkdir()
    with limited(LIMIT, ((tmp_path / "memory", "memory.limit_in_bytes"), (tmp_path, "memory.max"), (tmp_path / "absent", "memory.max"))) as group:
        assert group is None
    assert [path.name for path in tmp_path.rglob("*")] == ["memory"]


def test_a_run_above_its_memory_limit(tmp_path: Path) -> None:
    """C1, X8: no step holds its table; `make bench` shows it at 50 times the limit."""
    data = generate(tmp_path, ROWS, FILLER, groups=2)
    some = first_rows(tmp_path, 1000)
    assert ROWS * some.nbytes / some.num_rows > TIMES * LIMIT
    version = fitted(tmp_path)
    with limited(LIMIT) as group:
        (step,) = run(tmp_path, data, version, 1, LIMIT, group)
    assert step["digest"]
    assert group is not None or step["peak"] < LIMIT  # where no cgroup can be made, by what it was resident with
