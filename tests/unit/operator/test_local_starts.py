"""Steps forked from one process: each as if it had been started by itself."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeljob.contract.reasons import ExitCode
from labelplane.cluster.local_starts import Child, Preloaded


@pytest.fixture
def preloaded() -> Iterator[Preloaded]:
    made = Preloaded()
    yield made
    made.close()


def started(preloaded: Preloaded, folder: Path, name: str) -> Child:
    arguments = ["--config", str(folder / name), "--result", str(folder / f"{name}-result")]
    return preloaded.start(arguments, os.environ | {"PLANTED": name}, folder / f"{name}-log")


def test_its_own_session_environment_log_and_end(preloaded: Preloaded, tmp_path: Path) -> None:
    """A configuration that is no file yet is waited for: so long the step can be looked at."""
    os.mkfifo(tmp_path / "waits")
    (tmp_path / "bad").write_text("{}")
    waits, bad = started(preloaded, tmp_path, "waits"), started(preloaded, tmp_path, "bad")
    assert bad.wait() == ExitCode.BAD_SPEC
    assert bad.poll() == ExitCode.BAD_SPEC
    bad.terminate()  # it is over: nothing happens
    assert json.loads((tmp_path / "bad-result").read_text())["failure"]["reason"] == "ConfigInvalid"
    assert "ConfigInvalid" in (tmp_path / "bad-log").read_text()
    with (tmp_path / "waits").open("w"):
        assert os.getsid(waits.pid) == waits.pid
        assert waits.poll() is None
        waits.terminate()
        assert waits.wait() == ExitCode.TRANSIENT
    assert "terminated" in (tmp_path / "waits-log").read_text()


def test_what_is_loaded_starts_no_thread(preloaded: Preloaded, tmp_path: Path) -> None:
    """A fork has one thread, and what the others held it holds for ever; the allocator's own looks after that."""
    started(preloaded, tmp_path, "bad").wait()
    assert preloaded._server is not None
    names = [comm.read_text().strip() for comm in Path(f"/proc/{preloaded._server.process.pid}/task").glob("*/comm")]
    assert len([name for name in names if name != "jemalloc_bg_thd"]) == 1, names


def test_a_step_outlives_the_process_that_forked_it_and_the_next_has_another(preloaded: Preloaded, tmp_path: Path) -> None:
    """What nobody can tell the end of counts as killed, and is tried again."""
    os.mkfifo(tmp_path / "waits")
    (tmp_path / "bad").write_text("{}")
    waits = started(preloaded, tmp_path, "waits")
    assert preloaded._server is not None
    preloaded._server.process.kill()
    preloaded._server.process.wait()
    assert waits.wait() == waits.poll() == -9
    waits.terminate()
    assert started(preloaded, tmp_path, "bad").wait() == ExitCode.BAD_SPEC
    with (tmp_path / "waits").open("w"):
        pass  # ends it: an empty configuration
