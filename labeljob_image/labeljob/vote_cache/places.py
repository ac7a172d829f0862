"""Where kept votes are: beside the output, in a folder that readers of Delta pass over.

    output/_labelplane/votes/
      <sequence>-<attempt>-<digest>.json                  the manifest of a run, which its commit names; with the digest of its content
      <sequence>-<attempt>-<shard>-<random>.parquet       votes, and with -looks at its end what was seen of the rows (`looks`)
      <file>.work-<random>                                a file at work, of an attempt that runs or was killed

Each attempt writes files of its own, so that one that is finished stays as it is: what a function fails on, and so what is kept, may differ where a call takes too
long in one of them. Nothing counts that the manifest of a commit does not name. What is not there, has another size or cannot be read is not kept, and its rows are
evaluated.
"""

import hashlib
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from deltalake.exceptions import DeltaError
from pydantic import ValidationError

from labeljob.contract.config import LabelTask
from labeljob.contract.digests import canonical_json, digest_of
from labeljob.io.delta_commits import RUNS, votes_named
from labeljob.io.durable import flush_folder, replace_file
from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place, state_of
from labeljob.vote_cache.manifest import Manifest, PartVotes, VotesFile, manifest_of

FOLDER = "votes"  # below RUNS
ATTEMPT_CHARACTERS, DIGEST_CHARACTERS = 16, 32
WORK = ".work-"
LOOKS = "-looks"


@dataclass(frozen=True)
class Kept:
    """Manifests, newest first; `current` of the last commit, whose rows are those of the output."""

    manifests: tuple[Manifest, ...] = ()
    current: Manifest | None = None

    def runs(self, model_sha256: str) -> dict[str, str]:
        """Name of the run that labelled the rows of each unit, where all of them stand in the output, labelled by this model version and by all its functions."""
        if self.current is None or self.current.model_sha256 != model_sha256:
            return {}
        return {unit.key: unit.run for unit in self.current.units if unit.run and not unit.lacks}


class VotesPlaces:
    """The places of one run."""

    def __init__(self, output: Place, task: LabelTask, shards: int) -> None:
        self._output, self._task = output, task
        self._prefix = f"{task.sequence:08d}-{digest_of([task.run_digest, task.sequence, shards])[:ATTEMPT_CHARACTERS]}"
        self.folder = output / RUNS / FOLDER

    def new_name(self, shard: int) -> str:
        """Of files of a shard that nobody else has written, without their ends."""
        return f"{self._prefix}-{shard:04d}-{uuid.uuid4().hex}"

    def votes(self, name: str) -> Place:
        return self.folder / f"{name}.parquet"

    def looks(self, name: str) -> Place:
        return self.folder / f"{name}{LOOKS}.parquet"

    def at_work(self, place: Place) -> Place:
        """Where a file is written until it is whole; in an object store its own place, where nothing is before."""
        if isinstance(place, ObjectPath):
            return place
        with writing(self._task.output):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{place.name}{WORK}{uuid.uuid4().hex}"

    def put(self, files: Iterable[tuple[Place, Place]]) -> None:
        """Put finished files (at work, place) in their places."""
        moved = [(Path(str(work)), Path(str(place))) for work, place in files if not isinstance(place, ObjectPath)]
        with writing(self._task.output):
            for work, place in moved:
                work.rename(place)
            if moved:
                flush_folder(Path(str(self.folder)))

    def write(self, whole: PartVotes) -> str:
        """Keep the manifest of a run; its name, for the commit."""
        content = canonical_json(manifest_of(whole, self._task.model_sha256).wire())
        name = f"{self._prefix}-{_digest(content)}.json"
        place = self.folder / name
        with writing(self._task.output, self._output):
            if isinstance(place, ObjectPath):
                place.put(content)
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                replace_file(Path(str(place)), content)
        return name

    def kept(self) -> Kept:
        """What earlier commits name, as far as it can be read."""
        if not self.folder.is_dir():
            return Kept()
        current, names = self._named()
        while True:
            found = {name: manifest for name in names if (manifest := self._read(name)) is not None}
            before, (current, names) = (current, names), self._named()
            if before == (current, names):  # nobody has committed meanwhile, and removed what was named
                return Kept(tuple(found.values()), found.get(current or ""))

    def usable(self, file: VotesFile) -> bool:
        """Whether both files are there as they were written."""
        sizes = ((self.votes(file.name), file.size), (self.looks(file.name), file.looks_size))
        return all(place.is_file() and state_of(place)[0] == size for place, size in sizes)

    def collect(self) -> None:
        """After the commit: remove what no manifest of the last `historyLimit` commits names, of runs up to this one."""
        if not self.folder.is_dir():
            return
        _, named = self._named()
        manifests = [found for name in named if (found := self._read(name)) is not None]
        files = {place.name for one in manifests for file in one.files for place in (self.votes(file.name), self.looks(file.name))}
        for place in list(self.folder.iterdir()):
            number = place.name.removeprefix(".").partition("-")[0]
            if number.isdecimal() and int(number) <= self._task.sequence and place.name not in files and place.name not in named:
                place.unlink(missing_ok=True)
        if isinstance(self.folder, Path):
            with suppress(OSError):  # it holds something
                self.folder.rmdir()
                self.folder.parent.rmdir()

    def _named(self) -> tuple[str | None, list[str]]:
        """(manifest of the last commit, those that the last `historyLimit` commits name, newest first and each once); no more of the log is read."""
        if not self._task.history_limit:
            return None, []
        try:
            names = list(islice(votes_named(self._output, self._task.app_id), self._task.history_limit))
        except DeltaError:  # there is no version yet
            return None, []
        return next(iter(names), None), [name for name in dict.fromkeys(names) if name is not None]

    def _read(self, name: str) -> Manifest | None:
        try:
            content = (self.folder / name).read_bytes()
            return Manifest.model_validate_json(content) if name.endswith(f"-{_digest(content)}.json") else None
        except (FileNotFoundError, ValidationError):
            return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]
