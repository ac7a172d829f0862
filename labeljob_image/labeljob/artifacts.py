"""The home of a model's versions: a folder on a volume, one directory a version, never changed once it is there (C5, F6).

    home/v3/  model.json  calibration.json  functionset.json  functions.json  reference.json  lookups/*.parquet    content
              taught.json                                                 hashed ids of the gold rows that taught the model, if any did
              inputs.json                                                 pins of the model versions that vote in it, if any do
              SHA256SUMS                                                                                           digest of each of these
              version.json                                                                                         the ModelVersion record
    home/index.json                                                                      all records, rebuilt from the directories

A version is written beside its place and renamed into it: the rename is the arbiter, since it fails where a version already stands. The
digest of SHA256SUMS identifies the version; loading checks every file against it. Parameters are JSON and Parquet, never pickle.
"""

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.errors import JobError
from labeljob.io.content import file_digest
from labeljob.io.durable import flush_folder, replace_file, write_file
from labeljob.io.failures import writing

SUMS = "SHA256SUMS"
RECORD = "version.json"


class ArtifactHome:
    """Every version of one LabelModel. The directories are the truth; index.json is made from them."""

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder, self._uri = folder, uri

    def versions(self) -> list[ModelVersion]:
        """All records, newest first. Directories without a readable record are not versions."""
        found = [record for number in self._numbers() if (record := self._record(number)) is not None]
        return sorted(found, key=lambda record: -record.version)

    def find(self, fit_digest: str) -> ModelVersion | None:
        """The newest version that this fit made, or None."""
        return next((record for record in self.versions() if record.fit_digest == fit_digest), None)

    def publish(self, record: ModelVersion, content: Mapping[str, bytes]) -> ModelVersion:
        """Put a version in place; where the same fit stands already, return its record.

        Args:
            record: its `sha256` is filled in here.
            content: relative path -> bytes.
        Raises:
            JobError: OUTPUT_CONFLICT when another fit has that number; VOLUME_FULL, OUTPUT_NOT_WRITABLE.
        """
        with writing(self._uri):
            placed = self._place(record, content)
            self._remove_leftovers(record.version)
            replace_file(self._folder / "index.json", canonical_json([version.wire() for version in self.versions()]))
        return placed

    def load(self, version: int, sha256: str) -> dict[str, bytes]:
        """The content of a version, every file verified.

        Raises:
            JobError: MODEL_MISMATCH when it is gone or is not what `sha256` says (F6).
        """
        folder = self._folder / f"v{version}"
        try:
            sums = (folder / SUMS).read_bytes()
        except OSError:
            raise self._mismatch(version, "is not there") from None
        if hashlib.sha256(sums).hexdigest() != sha256:
            raise self._mismatch(version, "is not the one that was pinned")
        content = {}
        for line in sums.decode().splitlines():
            digest, _, name = line.partition("  ")
            content[name] = self._verified(folder / name, digest, version)
        return content

    def _verified(self, path: Path, digest: str, version: int) -> bytes:
        try:
            data = path.read_bytes()
        except OSError:
            raise self._mismatch(version, f"lacks {path.name}") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._mismatch(version, f"has a changed {path.name}")
        return data

    def _place(self, record: ModelVersion, content: Mapping[str, bytes]) -> ModelVersion:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f".v{record.version}-{uuid.uuid4().hex}"
        target = self._folder / f"v{record.version}"
        try:
            placed = _write_version(temporary, record, content)
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            return self._standing(record)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        flush_folder(self._folder)
        return placed

    def _standing(self, record: ModelVersion) -> ModelVersion:
        """The record that stands where `record` wanted to be, when both come from the same fit."""
        standing = self._record(record.version)
        if standing is not None and standing.fit_digest == record.fit_digest:
            return standing
        message = f"{self._uri}: version {record.version} is another fit: give each LabelModel its own spec.artifacts.uri"
        raise JobError(JobReason.OUTPUT_CONFLICT, message)

    def _remove_leftovers(self, version: int) -> None:
        """Unfinished directories of a version that now stands: none of them can take its place any more."""
        for leftover in self._folder.glob(f".v{version}-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _numbers(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return [int(path.name[1:]) for path in self._folder.iterdir() if re.fullmatch(r"v[1-9][0-9]*", path.name)]

    def _record(self, version: int) -> ModelVersion | None:
        try:
            return ModelVersion.model_validate_json((self._folder / f"v{version}" / RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def _mismatch(self, version: int, why: str) -> JobError:
        message = f"{self._uri}: version {version} {why}: restore it, or pin another version"
        return JobError(JobReason.MODEL_MISMATCH, message)


def _write_version(folder: Path, record: ModelVersion, content: Mapping[str, bytes]) -> ModelVersion:
    """All files of a version, flushed; the record with its digest."""
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    sums = "".join(f"{file_digest(folder / name)}  {name}\n" for name in sorted(content)).encode()
    write_file(folder / SUMS, sums)
    placed = record.model_copy(update={"sha256": hashlib.sha256(sums).hexdigest()})
    write_file(folder / RECORD, json.dumps(placed.wire(), indent=1).encode())
    for inner in sorted({(folder / name).parent for name in content} | {folder}):
        flush_folder(inner)
    return placed
