"""The job image's one entry point, as a process: exit codes, the result it leaves, and what it logs."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labeljob.build import build_digest
from labeljob.contract.config import INDEX_VARIABLE, CheckTask, JobConfig, LabelTask, Owner, ShardTask
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import ExitCode, JobReason
from labeljob.contract.result import MESSAGE_BYTES, JobResult
from tests.patience import HANG_SECONDS
from tests.unit.job.builders import function_set

SECRET = "somebody's own words"


def config(**changes: Any) -> JobConfig:
    """Check a set of one function, with a test that holds."""
    functions = [{"name": "told", "label": "risky", "keywords": {"column": "text", "any": ["fire"]}}]
    tests = changes.pop("tests", [{"row": {"text": "fire"}, "expect": {"told": "risky"}}])
    checked = function_set([{"name": "text", "type": "string"}], functions, tests=tests)
    return JobConfig(step="check", owner=Owner(kind="LabelingFunctionSet", namespace="ns", name="set"), check=CheckTask(function_set=checked), **changes)


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "labeljob.run", "--config", str(folder / "config.json"), "--result", str(folder / "result"), *more]


def run(folder: Path, given: JobConfig | bytes, *more: str) -> tuple[int, JobResult, list[dict[str, Any]]]:
    """Exit code, result, and log lines."""
    (folder / "config.json").write_bytes(given if isinstance(given, bytes) else canonical_json(given.wire()))
    done = subprocess.run(command(folder, *more), capture_output=True, text=True, check=False)
    text = (folder / "result").read_bytes()
    assert len(text) <= MESSAGE_BYTES
    return done.returncode, JobResult.model_validate_json(text), [json.loads(line) for line in done.stderr.splitlines()]


def test_a_step_that_succeeds(tmp_path: Path) -> None:
    code, result, log = run(tmp_path, config(expected_build=build_digest()))
    assert (code, result.build, result.failure) == (ExitCode.OK, build_digest(), None)
    assert result.check is not None
    assert (result.check.function_count, result.check.tests_passed) == (1, 1)
    assert [line["event"] for line in log] == ["started", "finished"]
    assert log[0].items() >= {"step": "check", "kind": "LabelingFunctionSet", "namespace": "ns", "name": "set"}.items()


def failed(folder: Path, given: JobConfig | bytes, *more: str) -> tuple[int, JobReason, str]:
    """Exit code, reason and message of a step that fails."""
    code, result, log = run(folder, given, *more)
    assert result.failure is not None
    assert log[-1]["event"] == "failed"
    return code, result.failure.reason, result.failure.message


def test_an_edited_configuration_is_refused(tmp_path: Path) -> None:
    """What the Job was made for and what it is given differ."""
    other = hashlib.sha256(canonical_json(config(tests=[]).wire())).hexdigest()
    code, reason, text = failed(tmp_path, config(), "--config-sha256", other)
    assert (code, reason, "edited" in text) == (ExitCode.BAD_SPEC, JobReason.CONFIG_INVALID, True)


def test_the_untouched_configuration_is_accepted(tmp_path: Path) -> None:
    assert run(tmp_path, config(), "--config-sha256", hashlib.sha256(canonical_json(config().wire())).hexdigest())[0] == ExitCode.OK


def test_a_configuration_that_is_none_is_named_without_its_content(tmp_path: Path) -> None:
    code, reason, text = failed(tmp_path, json.dumps({"step": "check", "owner": SECRET}).encode())
    assert (code, reason) == (ExitCode.BAD_SPEC, JobReason.CONFIG_INVALID)
    assert "owner" in text
    assert SECRET not in text


def test_another_build_than_the_pinned_one_refuses_to_run(tmp_path: Path) -> None:
    """The tag was pushed again between the pin and the pod."""
    code, reason, text = failed(tmp_path, config(expected_build="sha256:another"))
    assert (code, reason, build_digest() in text) == (ExitCode.BAD_DATA, JobReason.IMAGE_CHANGED, True)


def test_a_failing_function_test_ends_with_the_code_of_a_bad_spec(tmp_path: Path) -> None:
    """F5: neither result nor log quotes the row."""
    given = config(tests=[{"row": {"text": SECRET}, "expect": {"told": "risky"}}])
    code, reason, text = failed(tmp_path, given)
    assert (code, reason) == (ExitCode.BAD_SPEC, JobReason.FUNCTION_TESTS_FAILED)
    assert "spec.tests[0].expect.told" in text
    assert SECRET not in text + subprocess.run(command(tmp_path), capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("given", [None, "-1"])
def test_a_shard_without_an_index_is_refused(tmp_path: Path, given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard is a pod of an Indexed Job, which says which one it is."""
    monkeypatch.delenv(INDEX_VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(INDEX_VARIABLE, given)
    pinned = DatasetPin(uri="pvc://lake/data", format="parquet", digest="d")
    texts = dict.fromkeys(("artifacts", "model_name", "model_sha256", "output", "app_id", "run_digest", "run", "image"), "x")
    task = ShardTask(label=LabelTask(data=pinned, model_version=1, sequence=1, **texts), shards=2)
    code, reason, text = failed(tmp_path, JobConfig(step="shard", owner=Owner(kind="LabelJob", namespace="ns", name="job"), shard=task))
    assert (code, reason, INDEX_VARIABLE in text) == (ExitCode.BAD_SPEC, JobReason.CONFIG_INVALID, True)


def test_a_job_that_is_stopped_asks_to_be_tried_again(tmp_path: Path) -> None:
    """SIGTERM, as kubelet sends it: exit code 75 and a result that says so."""
    os.mkfifo(tmp_path / "config.json")
    # The pipe opens once the job reads: it waits for its configuration then.
    with subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE) as process, (tmp_path / "config.json").open("wb"):
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_SECONDS) == ExitCode.TRANSIENT
    result = JobResult.model_validate_json((tmp_path / "result").read_bytes())
    assert result.failure is not None
    assert "tried again" in result.failure.message
