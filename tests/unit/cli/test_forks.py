"""Forked commands of tests are what Python would have started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labeljob.contract.reasons import ExitCode
from tests.forks import python
from tests.patience import HANG_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each is started")


def test_what_is_not_loaded_is_started_and_what_is_says_the_same(tmp_path: Path) -> None:
    """Output, error and exit code; the folder and the environment are the asker's."""
    calls = (("-m", "labelplane.cli.main", "validate", "nowhere"), ("-m", "labelplane.cli.main", "run"), ("-c", "import os; print(os.getcwd(), os.environ['HERE'])"))
    for arguments in calls:
        forked, started = (
            subprocess.run([called, *arguments], cwd=tmp_path, env=os.environ | {"HERE": "x"}, capture_output=True, text=True, check=False) for called in (python(), sys.executable)
        )
        assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, ExitCode.TRANSIENT), (signal.SIGKILL, -signal.SIGKILL)])
def test_it_ends_with_whoever_asked_for_it(tmp_path: Path, number: int, code: int) -> None:
    """A pipe is opened once the job reads its configuration, and closed at the job's end."""
    os.mkfifo(tmp_path / "config")
    command = [python(), "-m", "labeljob.run", "--config", str(tmp_path / "config"), "--result", str(tmp_path / "result")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as asker, (tmp_path / "config").open("wb"):
        asker.send_signal(number)
        assert asker.wait(HANG_SECONDS) == code
        assert asker.stderr
        asker.stderr.read()  # to its end, which comes when nobody has it open any more
