"""Which URIs a job mounts; `file:` is for a laptop."""

from collections.abc import Iterable

from labeljob.contract.function_set import FunctionSet
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled
from labelplane.settings import Settings


def lookup_uris(function_set: FunctionSet) -> tuple[str, ...]:
    """Tables that the enabled functions look keys up in."""
    return tuple(function.lookup.table.uri for function in function_set.enabled_functions if function.lookup)


def refuse_files(fields: Iterable[tuple[str, str | None]], settings: Settings) -> None:
    """Raises Stalled for a `file:` URI where there is no laptop whose file it could be."""
    for field, uri in fields:
        if uri and uri.startswith("file:") and not settings.local:
            raise Stalled(ControlReason.INVALID_SPEC, f"{field}: {uri} names a file of a laptop: in a cluster use pvc://, s3:// or configmap://")
