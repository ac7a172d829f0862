"""From a URI to a local path, through the mounts of the job, and never out of them (O10).

`pvc://claim/path` and `configmap://name/key` lie in the folder of their mount. `file:` names exist only where a `file:` mount does,
that is on a laptop: relative ones start there, `file:///absolute` is taken as it is.
"""

from collections.abc import Sequence
from pathlib import Path

from labeljob.contract.config import Mount
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError


class Locations:
    """The mounts of a job as a lookup from URI to path."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._folders = {mount.prefix.rstrip("/"): Path(mount.path) for mount in mounts}

    def existing(self, uri: str) -> Path:
        """The path of data that must be there.

        Raises:
            JobError: SOURCE_NOT_FOUND, saying what to create or correct.
        """
        path = self.path(uri)
        if not path.exists():
            raise _not_found(uri)
        return path

    def path(self, uri: str) -> Path:
        """The path a URI stands for, whether or not anything is there; SOURCE_NOT_FOUND when its mount is missing or it leads out."""
        prefix, rest = _split(uri)
        folder = self._folders.get(prefix)
        if folder is None or not (folder.is_dir() or prefix.startswith("configmap://")):
            raise _no_mount(uri, prefix)
        if uri.startswith("file:///"):
            return Path(rest)
        return _inside(folder, rest, uri)


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
        "file": "file: works only with labelplane run: use pvc:// or configmap://",
    }.get(kind, "use pvc://claim/path or configmap://name/key")
    return JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: {advice}")


def _not_found(uri: str) -> JobError:
    prefix, rest = _split(uri)
    if prefix.startswith("configmap://"):
        what = f"ConfigMap {prefix.removeprefix('configmap://')} or its key {rest} is not there: create it or correct the uri"
    elif prefix.startswith("pvc://"):
        what = f"claim {prefix.removeprefix('pvc://')} has no file or folder {rest}: put the data there or correct the uri"
    else:
        what = "no such file or folder: put the data there or correct the uri"
    return JobError(JobReason.SOURCE_NOT_FOUND, f"{uri}: {what}")
