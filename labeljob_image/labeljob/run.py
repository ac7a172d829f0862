"""The one entry point of the job image: `python -m labeljob.run --config FILE [--result FILE]`.

It reads a JobConfig, refuses one that was edited and a build that is not the pinned one, runs the step, and always leaves a JobResult
of at most 4,096 bytes. The exit code (contract/reasons.py) tells Kubernetes whether a retry can help.
"""

import argparse
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pydantic import ValidationError

from labeljob.build import build_digest
from labeljob.contract.config import INDEX_VARIABLE, JobConfig
from labeljob.contract.reasons import ExitCode, JobReason, exit_code
from labeljob.contract.result import Failure, JobResult
from labeljob.contract.result_packing import pack
from labeljob.errors import JobError
from labeljob.logs import Log, frames
from labeljob.resources import available, bound_memory

if TYPE_CHECKING:
    from labeljob.steps.context import StepContext

TERMINATION_LOG = "/dev/termination-log"
MESSAGE_CHARACTERS = 1800
HUNG = "a labeling function did not stop when its time was up: its work on one row is too much; simplify the functions that read long text"


class Terminated(BaseException):
    """SIGTERM: the pod is being stopped; a retry starts over."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    log = Log("start")
    try:
        result, code = _guarded(lambda: _run(given.config, given.config_sha256, log, lambda: give_up(given.result, log)), log)
        _write(given.result, pack(result))
    except Terminated:
        return _stopped(given.result, log)
    return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labeljob", description="Run one step of a Labelplane job.")
    parser.add_argument("--config", type=Path, required=True, help="the JobConfig, a JSON file")
    parser.add_argument("--config-sha256", help="refuse a configuration whose SHA-256 is another")
    default = Path(os.environ.get("LABELJOB_RESULT", TERMINATION_LOG))
    parser.add_argument("--result", type=Path, default=default, help=f"where the result is written (default {default})")
    return parser


def _guarded(work: Callable[[], JobResult], log: Log) -> tuple[JobResult, ExitCode]:
    """The result of `work`, or of its failure; content of rows never gets into either the result or the log."""
    try:
        return work(), ExitCode.OK
    except JobError as error:
        log.error("failed", reason=error.reason, message=error.message)
        return _failure(error.reason, error.message), exit_code(error.reason)
    except Exception as error:  # noqa: BLE001 the one place where anything unexpected ends
        log.error("unexpected", type=type(error).__name__, frames=frames(error.__traceback__))
        message = f"{type(error).__name__} in the job; its log has the place: look there, and report it"
        return _failure(JobReason.INTERNAL_ERROR, message), exit_code(JobReason.INTERNAL_ERROR)


def _run(config_file: Path, expected_sha256: str | None, log: Log, hung: Callable[[], None]) -> JobResult:
    config = _read_config(config_file, expected_sha256)
    log.enter(config.step)
    build = build_digest()
    if config.expected_build not in (None, build):
        message = f"this image holds build {build}, pinned is {config.expected_build}: use the pinned image, or reconcile to pin this one"
        raise JobError(JobReason.IMAGE_CHANGED, message)
    log.info("started", kind=config.owner.kind, namespace=config.owner.namespace, name=config.owner.name, build=build)
    bound_memory()
    result = _dispatch(config, log, build, hung)
    log.info("finished")
    return result


def _read_config(file: Path, expected_sha256: str | None) -> JobConfig:
    try:
        text = file.read_bytes()
    except OSError as error:
        raise JobError(JobReason.CONFIG_INVALID, f"the job's configuration cannot be read ({type(error).__name__})") from None
    if expected_sha256 is not None and hashlib.sha256(text).hexdigest() != expected_sha256:
        raise JobError(JobReason.CONFIG_INVALID, "the job's configuration was edited: leave it to the operator, which writes it again")
    try:
        return JobConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise JobError(JobReason.CONFIG_INVALID, f"the job's configuration is not valid at {where or 'its root'}: {first['msg']}") from None


def _dispatch(config: JobConfig, log: Log, build: str, hung: Callable[[], None]) -> JobResult:
    """Numerics load here, after the cheap refusals."""
    from labeljob.io.credentials import take_ambient
    from labeljob.io.locations import Locations
    from labeljob.labeling_functions.limits import TimeLimits
    from labeljob.labeling_functions.python_runtime import PythonRuntime, folders_of
    from labeljob.steps.context import StepContext
    from labeljob.without_pandas import start_arrow

    if config.resolve is None:
        start_arrow()
    locations = Locations(config.mounts, config.access, take_ambient(os.environ))
    resources = available()
    python = PythonRuntime(folders_of(os.environ), resources.memory_bytes, tell=log.info)
    context = StepContext(locations, resources, log, build, limits=TimeLimits(hung=hung), python=python)
    if config.check is not None:
        from labeljob.steps.check import run_check

        return JobResult(build=build, check=run_check(config.check, context.open_table, context.limits, python, context.hasher))
    if config.resolve is not None:
        from labeljob.steps.resolve import run_resolve

        return JobResult(build=build, resolve=run_resolve(config.resolve, context))
    if config.fit_shard is not None or config.fit is not None:
        return _fitted(config, context, build)
    return _labelled(config, context, build)


def _fitted(config: JobConfig, context: "StepContext", build: str) -> JobResult:
    """The steps that fit: in one pod, or in shards and a fit that merges them."""
    if config.fit_shard is not None:
        from labeljob.steps.fit_shard import run_fit_shard

        return JobResult(build=build, shard=run_fit_shard(config.fit_shard, _completion_index(), context))
    assert config.fit is not None  # noqa: S101 JobConfig has exactly the task of its step
    if config.fit.function_set.is_multi_label:
        from labeljob.steps.fit_sets import run_fit_sets

        return JobResult(build=build, fit=run_fit_sets(config.fit, context))
    from labeljob.steps.fit import run_fit

    return JobResult(build=build, fit=run_fit(config.fit, context))


def _labelled(config: JobConfig, context: "StepContext", build: str) -> JobResult:
    """The steps that label: in one pod, or in shards and a commit."""
    if config.shard is not None:
        from labeljob.steps.shard import run_shard

        return JobResult(build=build, shard=run_shard(config.shard, _completion_index(), context))
    if config.commit is not None:
        from labeljob.steps.commit import run_commit

        return JobResult(build=build, label=run_commit(config.commit, context))
    from labeljob.steps.label import run_label

    assert config.label is not None  # noqa: S101 JobConfig has exactly the task of its step
    return JobResult(build=build, label=run_label(config.label, context))


def _completion_index() -> int:
    """Which part is this pod's."""
    given = os.environ.get(INDEX_VARIABLE, "")
    if not given.isdecimal():
        raise JobError(JobReason.CONFIG_INVALID, f"{INDEX_VARIABLE} must say which shard this is: a shard runs as a pod of an Indexed Job")
    return int(given)


def _failure(reason: JobReason, message: str) -> JobResult:
    return JobResult(build=build_digest(), failure=Failure(reason=reason, message=message[:MESSAGE_CHARACTERS]))


def give_up(result_file: Path, log: Log) -> None:
    """End the process, its result written: a statement goes on though it was interrupted, and nothing raised would reach it."""
    log.error("hung")
    _write(result_file, pack(_failure(JobReason.FUNCTIONS_FAILING, HUNG)))
    os._exit(exit_code(JobReason.FUNCTIONS_FAILING))


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _stopped(result_file: Path, log: Log) -> int:
    """Say that the job was stopped, and let it be tried again."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.error("terminated")
    _write(result_file, pack(_failure(JobReason.INTERNAL_ERROR, "the job was stopped before it finished; it is tried again")))
    return int(ExitCode.TRANSIENT)


def _write(file: Path, data: bytes) -> None:
    """In place: the termination log is a mounted file that cannot be replaced."""
    try:
        file.write_bytes(data)
    except OSError as error:
        print(f"the result could not be written: {type(error).__name__}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
