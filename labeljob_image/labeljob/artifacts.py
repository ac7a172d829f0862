"""The home of a model's versions: a folder on a volume or in an object store, one directory a version, never changed once it is there (C5, F6).

    home/v3/  model.json  calibration.json  functionset.json  functions.json  reference.json  lookups/*.parquet    content
              taught.json                                                 hashed ids of the gold rows that taught the model, if any did
              inputs.json                                                 pins of the model versions that vote in it, if any do
              SHA256SUMS                                                                                           digest of each of these
              version.json                                                                                         the ModelVersion record
    home/index.json                                                                      all records, rebuilt from the directories

On a volume a version is written beside its place and renamed into it: the rename is the arbiter, since it fails where a version already stands.
In an object store the record is, put only where none is; the content lies below its digest (`artifact_objects`). The
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

from labeljob.artifact_objects import put_content, put_index, put_record
from labeljob.contract.digests import canonical_json
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import ModelVersion
from labeljob.errors import JobError
from labeljob.io.durable import flush_folder, replace_file, write_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place
from labeljob.io.preflight import require_conditional_put

SUMS = "SHA256SUMS"
RECORD = "version.json"


class ArtifactHome:
    """Every version of one LabelModel. The directories are the truth; index.json is made from them."""

    def __init__(self, folder: Place, uri: str) -> None:
        self._folder, self._uri = folder, uri

    def versions(self) -> list[ModelVersion]:
        """All records, newest first. Directories without a readable record are not versions."""
        found = [record for number in self._numbers() if (record := self._record(number)) is not None]
        return sorted(found, key=lambda record: -record.version)

    def find(self, fit_digest: str) -> ModelVersion | None:
        """The newest version that this fit made, or None."""
        return next((record for record in self.versions() if record.fit_digest == fit_digest), None)

    def require_safe(self) -> None:
        """JobError STORAGE_UNSAFE when two writers could both believe that their version stands."""
        require_conditional_put(self._folder, self._uri)

    def publish(self, record: ModelVersion, content: Mapping[str, bytes]) -> ModelVersion:
        """Put a version in place; where the same fit stands already, return its record.

        Args:
            record: its `sha256` is filled in here.
            content: relative path -> bytes.
        Raises:
            JobError: OUTPUT_CONFLICT when another fit has that number; VOLUME_FULL, OUTPUT_NOT_WRITABLE.
        """
        sealed, files = _sealed(record, content)
        with writing(self._uri, self._folder):
            if isinstance(self._folder, ObjectPath):
                placed = self._put(self._folder, sealed, files)
            else:
                home = Path(str(self._folder))
                placed = self._place(home, sealed, files)
                _remove_leftovers(home, record.version)
            self._write_index()
        return placed

    def mend_index(self) -> None:
        """Write index.json anew where whoever published last was killed before it could."""
        index = self._folder / "index.json"
        with writing(self._uri, self._folder):
            if not index.is_file() or index.read_bytes() != self._index():
                self._write_index()

    def load(self, version: int, sha256: str) -> dict[str, bytes]:
        """The content of a version, every file verified.

        Raises:
            JobError: MODEL_MISMATCH when it is gone or is not what `sha256` says (F6).
        """
        folder = self._folder / f"v{version}"
        if isinstance(folder, ObjectPath):
            folder = folder / sha256
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

    def _verified(self, path: Place, digest: str, version: int) -> bytes:
        try:
            data = path.read_bytes()
        except OSError:
            raise self._mismatch(version, f"lacks {path.name}") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._mismatch(version, f"has a changed {path.name}")
        return data

    def _index(self) -> bytes:
        return canonical_json([version.wire() for version in self.versions()])

    def _write_index(self) -> None:
        index = self._folder / "index.json"
        if isinstance(index, ObjectPath):
            put_index(index, self._index)
        else:
            replace_file(Path(str(index)), self._index())

    def _put(self, home: ObjectPath, record: ModelVersion, files: Mapping[str, bytes]) -> ModelVersion:
        folder = home / f"v{record.version}"
        put_content(folder, record.sha256, files)
        return record if put_record(folder, RECORD, record, _written(record)) else self._standing(record)

    def _place(self, home: Path, record: ModelVersion, files: Mapping[str, bytes]) -> ModelVersion:
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / f".v{record.version}-{uuid.uuid4().hex}"
        target = home / f"v{record.version}"
        try:
            _write_version(temporary, record, files)
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            return self._standing(record)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        flush_folder(home)
        return record

    def _standing(self, record: ModelVersion) -> ModelVersion:
        """The record that stands where `record` wanted to be, when both come from the same fit."""
        standing = self._record(record.version)
        if standing is not None and standing.fit_digest == record.fit_digest:
            return standing
        message = f"{self._uri}: version {record.version} is another fit: give each LabelModel its own spec.artifacts.uri"
        raise JobError(JobReason.OUTPUT_CONFLICT, message)

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


def _sealed(record: ModelVersion, content: Mapping[str, bytes]) -> tuple[ModelVersion, dict[str, bytes]]:
    """The record with its digest, and the files of the version without the record's."""
    sums = "".join(f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content)).encode()
    return record.model_copy(update={"sha256": hashlib.sha256(sums).hexdigest()}), {**content, SUMS: sums}


def _written(record: ModelVersion) -> bytes:
    return json.dumps(record.wire(), indent=1).encode()


def _write_version(folder: Path, record: ModelVersion, files: Mapping[str, bytes]) -> None:
    """All files of a version, flushed."""
    for name, data in {**files, RECORD: _written(record)}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    for inner in sorted({(folder / name).parent for name in files} | {folder}):
        flush_folder(inner)


def _remove_leftovers(home: Path, version: int) -> None:
    """Unfinished directories of a version that now stands: none of them can take its place any more."""
    for leftover in home.glob(f".v{version}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
