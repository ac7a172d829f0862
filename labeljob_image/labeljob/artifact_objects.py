"""A model version in an object store, where nothing can be renamed: the content under its own digest, then the record by a conditional put.

    home/v3/<sha256>/ model.json  …  SHA256SUMS     equal content lies in one place, whoever writes it
    home/v3/version.json                            put only where none is: the arbiter
    home/index.json                                 put only over the one that was read
"""

from collections.abc import Callable, Mapping

from labeljob.contract.result import ModelVersion
from labeljob.io.object_path import ObjectPath

ATTEMPTS = 20


def put_content(folder: ObjectPath, sha256: str, content: Mapping[str, bytes]) -> None:
    """All files of a version, below its digest."""
    for name, data in content.items():
        (folder / sha256 / name).put(data)


def put_record(folder: ObjectPath, name: str, record: ModelVersion, data: bytes) -> bool:
    """Make the version stand; False when another does, and then this one's content is removed unless it is the same."""
    try:
        (folder / name).put(data, only_new=True)
    except FileExistsError:
        standing = ModelVersion.model_validate_json((folder / name).read_bytes())
        if standing.sha256 != record.sha256:
            (folder / record.sha256).remove_below()
        return standing == record
    return True


def put_index(place: ObjectPath, made: Callable[[], bytes]) -> None:
    """Replace the index by what `made` gives, made anew each time that another writer was quicker; the last to write has seen every version.

    Raises:
        FileExistsError: another writer was quicker ATTEMPTS times.
    """
    for left in range(ATTEMPTS - 1, -1, -1):
        head = place.head()
        try:
            place.put(made(), only_new=head is None, only_over=head["e_tag"] if head else None)
        except FileExistsError:
            if not left:
                raise
        else:
            return
