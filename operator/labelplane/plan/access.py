"""With which Secret each `s3://` URI of a job is reached. The Secret is named here and nowhere read: the pod mounts it (DESIGN 4.6)."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from labeljob.contract.config import Access
from labeljob.contract.datasets import SecretRef
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import InputQuery, ModelInput
from labelplane.api.label_model import LabelModel

S3 = "s3://"


class Opened(Protocol):
    """Something that lies at a URI, which a Secret may open."""

    @property
    def uri(self) -> str: ...

    @property
    def secret_ref(self) -> SecretRef | None: ...


def access_to(*named: tuple[str, Opened | None], more: Iterable[Access] = ()) -> tuple[Access, ...]:
    """Access to each URI of an object store, by the field that names it. Where several fields name one URI, the first with a Secret counts."""
    own = (Access(uri=one.uri, field=field, secret=one.secret_ref.name if one.secret_ref else None) for field, one in named if one is not None)
    found: dict[str, Access] = {}
    for access in (*own, *more):
        if access.uri.startswith(S3) and (access.uri not in found or found[access.uri].secret is None):
            found[access.uri] = access
    return tuple(found.values())


def access_to_lookups(function_set: FunctionSet) -> Iterator[Access]:
    """Access to the tables that the enabled functions look keys up in."""
    for place, function in enumerate(function_set.functions):
        if function.lookup and function.enabled is not False:
            yield from access_to((f"spec.functions[{place}].lookup.table", function.lookup.table))


def access_to_inputs(inputs: Iterable[InputQuery | ModelInput]) -> Iterator[Access]:
    """Access to the homes of the models that vote in another."""
    for one in inputs:
        yield Access(uri=one.artifacts, field=f"LabelModel {one.name} spec.artifacts", secret=one.secret)


def home_of(model: LabelModel) -> tuple[str, Opened]:
    """The home of a model's versions, as another resource speaks of it."""
    return f"LabelModel {model.metadata.name} spec.artifacts", model.spec.artifacts
