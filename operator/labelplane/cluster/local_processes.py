"""Child processes that run the job image's entry point, one in each folder: started, followed, tried again. Their records survive the command line."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeljob.contract.config import FUNCTIONS_VARIABLE, INDEX_VARIABLE, SHARERS_VARIABLE
from labeljob.contract.reasons import ExitCode
from labeljob.contract.result import JobResult
from labelplane.cluster.local_orphans import birth_of, code_of_orphan
from labelplane.cluster.local_starts import LOST, Child, Preloaded, started_alone

ATTEMPTS = 4
FINAL = (0, ExitCode.BAD_SPEC, ExitCode.BAD_DATA, ExitCode.NO_ROOM)
Record = dict[str, Any]


@dataclass
class Processes:
    """Children by name: the folder below `root` that holds a child's record, log and result. `functions`: where modules of `python` functions are."""

    root: Path
    functions: Path | None = None  # the folder beside the manifests, with modules of `python` functions
    children: dict[str, Child] = field(default_factory=dict)
    preloaded: Preloaded | None = field(default_factory=lambda: Preloaded() if sys.platform == "linux" else None)

    def start(self, name: str, config: Path, record: Record, index: int | None = None, sharers: int = 1) -> None:
        """Run the configuration; `index` is the child's among those of one Job, `sharers` of which run at once."""
        (self.root / name).mkdir(parents=True, exist_ok=True)
        self._launch(name, record | {"config": str(config), "index": index, "sharers": sharers, "attempts": 0, "seconds": 0.0, "exit": None})

    def followed(self, name: str) -> Record:
        """The record, brought up to date: an ended child's exit code, or a new attempt where one can help."""
        record = read_record(self.root / name)
        if record["exit"] is not None:
            return record
        child = self.children.get(name)
        code = child.poll() if child is not None else LOST
        if code == LOST:
            code = code_of_orphan(self.root / name, record)
        if code is None:
            return record
        if child is not None:  # how long one of an earlier command line ran, nobody knows
            record["seconds"] = record.get("seconds", 0.0) + (datetime.now(UTC) - datetime.fromisoformat(record["launched"])).total_seconds()
        if code not in FINAL and record["attempts"] < ATTEMPTS:
            self._launch(name, record)
        else:
            write_record(self.root / name, record | {"exit": code, "finished": now()})
        return read_record(self.root / name)

    def result(self, name: str) -> JobResult | None:
        """What a child that has ended reported."""
        file = self.root / name / "result.json"
        return JobResult.model_validate_json(file.read_text()) if file.exists() else None

    def end(self, name: str) -> None:
        """End the child, if it runs, and forget it."""
        child = self.children.pop(name, None)
        if child is not None:
            child.terminate()
            self._wait(name, child)

    def running(self) -> frozenset[str]:
        """Names of the children that run."""
        return frozenset(name for name, child in self.children.items() if child.poll() is None)

    def stop(self) -> None:
        """End all of them."""
        for child in self.children.values():
            child.terminate()
        for name, child in self.children.items():
            self._wait(name, child)
        if self.preloaded is not None:
            self.preloaded.close()

    def _wait(self, name: str, child: Child) -> None:
        if child.wait() == LOST:
            code_of_orphan(self.root / name, read_record(self.root / name))

    def _launch(self, name: str, record: Record) -> None:
        folder = self.root / name
        (folder / "result.json").unlink(missing_ok=True)
        config = record.get("config") or str(folder / "config.json")
        arguments = ["--config", config, "--result", str(folder / "result.json")]
        index = record.get("index")
        environment = environment_of(self.functions) | ({} if index is None else {INDEX_VARIABLE: str(index), SHARERS_VARIABLE: str(record["sharers"])})
        (folder / "log").touch()
        start = started_alone if self.preloaded is None else self.preloaded.start
        child = start(arguments, environment, folder / "log")
        started = {"pid": child.pid, "birth": birth_of(child.pid), "launched": now(), "attempts": record["attempts"] + 1, "exit": None}
        write_record(folder, record | started)
        self.children[name] = child
        child.begin()


def environment_of(functions: Path | None) -> dict[str, str]:
    """Of a job: modules of `python` functions are first looked for beside the manifests."""
    folders = [str(functions.absolute())] if functions is not None else []
    named = os.pathsep.join([*folders, *filter(None, [os.environ.get(FUNCTIONS_VARIABLE)])])
    return {**os.environ, **({FUNCTIONS_VARIABLE: named} if named else {})}


def read_record(folder: Path) -> Record:
    """What is known of a child, or of a Job."""
    record: Record = json.loads((folder / "record.json").read_text())
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """In one step: a command line may be ended at any time."""
    path = folder / "record.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record))
    partial.replace(path)


def now() -> str:
    """The time, as records hold it."""
    return datetime.now(UTC).isoformat()
