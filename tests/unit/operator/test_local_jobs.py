"""Jobs that an earlier command line left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeljob.contract.result import JobResult
from labelplane.cluster.local_jobs import LocalJobs
from labelplane.cluster.local_orphans import birth_of, code_of_orphan
from tests.patience import HANG_SECONDS


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not ours."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin
    process.stdin.close()


def left_behind(root: Path, pid: int, birth: str | None) -> None:
    (root / "job").mkdir()
    (root / "job/config.json").write_text("{}")
    (root / "job/log").touch()
    record = {"uid": "u", "owner": "o", "step": "check", "created": "2026-01-01T00:00:00+00:00", "attempts": 1, "exit": None}
    (root / "job/record.json").write_text(json.dumps(record | {"pid": pid, "birth": birth}))


@pytest.mark.parametrize("birth", ["1", None])
def test_a_recycled_pid_is_not_signalled(tmp_path: Path, stranger: subprocess.Popen[bytes], birth: str | None) -> None:
    """The number of a job that is gone may be another process's by now."""
    left_behind(tmp_path, stranger.pid, birth)
    jobs = LocalJobs(tmp_path, {})
    assert jobs.observed("o")[0].attempts == 2  # tried again
    jobs.stop()
    os.kill(stranger.pid, 0)
    assert stranger.poll() is None


def test_an_orphan_is_ended_and_tried_again(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    """Two attempts at once would both write."""
    birth = Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19]
    left_behind(tmp_path, stranger.pid, birth)
    jobs = LocalJobs(tmp_path, {})
    assert jobs.observed("o")[0].attempts == 2
    jobs.stop()
    assert stranger.wait(HANG_SECONDS) == -15


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """As in a pod, when its time is up; what it had reported stands."""
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record = {"pid": process.pid, "birth": birth_of(process.pid)}
        assert code_of_orphan(tmp_path, record, grace=0) == -9
        assert process.wait() == -9
    (tmp_path / "result.json").write_text(JobResult(build="b").model_dump_json())
    assert code_of_orphan(tmp_path, record) == 0
