"""From a URI to a place: a local path through the mounts of the job, and never out of them (O10), or keys of an object store.

`pvc://claim/path` and `configmap://name/key` lie in the folder of their mount. `file:` names exist only where a `file:` mount does,
that is on a laptop: relative ones start there, `file:///absolute` is taken as it is. `s3://bucket/key` is reached with the Secret that the
job's `access` names for it, mounted at `secret://name`, or with the environment's AWS_*.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from labeljob.contract.config import Access, Mount
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.credentials import of_environment, of_secret
from labeljob.io.object_path import ObjectPath
from labeljob.io.object_store import ObjectStore, Retries
from labeljob.io.places import Place

S3 = "s3://"


class Locations:
    """The mounts of a job, and its access to object stores, as a lookup from URI to place."""

    def __init__(
        self, mounts: Sequence[Mount], access: Sequence[Access] = (), ambient: Mapping[str, str] | None = None, retries: Retries | None = None
    ) -> None:
        self._folders = {mount.prefix.rstrip("/"): Path(mount.path) for mount in mounts}
        self._access = {one.uri: one for one in access}
        self._ambient, self._retries = ambient or {}, retries or Retries()
        self._reached: dict[str, ObjectPath] = {}

    def existing(self, uri: str) -> Place:
        """The place of data that must be there.

        Raises:
            JobError: SOURCE_NOT_FOUND, saying what to create or correct.
        """
        path = self.path(uri)
        if not path.exists():
            raise _not_found(uri)
        return path

    def path(self, uri: str) -> Place:
        """The place a URI stands for, whether or not anything is there.

        Raises:
            JobError: SOURCE_NOT_FOUND when its mount or bucket is missing or it leads out; SECRET_INVALID, STORAGE_DENIED, STORAGE_UNAVAILABLE.
        """
        if uri.startswith(S3):
            return self._object(uri)
        prefix, rest = _split(uri)
        folder = self._folders.get(prefix)
        if folder is None or not (folder.is_dir() or prefix.startswith("configmap://")):
            raise _no_mount(uri, prefix)
        if uri.startswith("file:///"):
            return Path(rest)
        return _inside(folder, rest, uri)


    def _object(self, uri: str) -> ObjectPath:
        """The keys of the URI, after one look there: every later answer that a key is missing is then to be believed."""
        if uri not in self._reached:
            access = self._access.get(uri) or Access(uri=uri, field="uri")
            secret = self._folders.get(f"secret://{access.secret}")
            credentials = of_secret(access, secret) if access.secret else of_environment(access, self._ambient)
            bucket, _, key = uri.removeprefix(S3).partition("/")
            place = ObjectPath(ObjectStore(bucket, access, credentials, self._retries), key.rstrip("/"))
            place.is_dir()
            self._reached[uri] = place
        return self._reached[uri]


def _split(uri: str) -> tuple[str, str]:
    """Prefix of the mount, and the rest."""
    if uri.startswith("file:"):
        rest = uri.removeprefix("file:")
        return "file:", "/" + rest.lstrip("/") if rest.startswith("///") else rest
    scheme, _, rest = uri.partition("://")
    owner, _, inner = rest.partition("/")
    return f"{scheme}://{owner}", inner


def _inside(folder: Path, rest: str, uri: str) -> Path:
    path = folder / rest
    outside = ".." in Path(rest).parts or Path(rest).is_absolute() or not path.resolve().is_relative_to(folder.resolve())
    if outside:
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{uri} leads out of its volume or folder: use a path below it, without .. and links")
    return path


def _no_mount(uri: str, prefix: str) -> JobError:
    kind = prefix.partition(":")[0]
    advice = {
        "pvc": f"claim {prefix.removeprefix('pvc://')} is not there: create the claim or correct the uri",
        "configmap": f"ConfigMap {prefix.removeprefix('configmap://')} is not there: create it or correct the uri",
        "file": "file: works only with labelplane run: use pvc://, s3:// or configmap://",
    }.get(kind, "use pvc://claim/path, s3://bucket/key or configmap://name/key")
    return JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: {advice}")


def _not_found(uri: str) -> JobError:
    prefix, rest = _split(uri)
    if prefix.startswith("configmap://"):
        what = f"ConfigMap {prefix.removeprefix('configmap://')} or its key {rest} is not there: create it or correct the uri"
    elif prefix.startswith("pvc://"):
        what = f"claim {prefix.removeprefix('pvc://')} has no file or folder {rest}: put the data there or correct the uri"
    elif prefix.startswith(S3):
        what = f"bucket {prefix.removeprefix(S3)} has no key {rest} and none below it: put the data there or correct the uri"
    else:
        what = "no such file or folder: put the data there or correct the uri"
    return JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: {what}")
