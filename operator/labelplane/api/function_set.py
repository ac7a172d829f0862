"""LabelingFunctionSet: what may vote, on what."""

from typing import Annotated

from pydantic import Field

from labeljob.contract.base import Wire
from labeljob.contract.function_set import FunctionSet
from labelplane.api.conditions import Conditions
from labelplane.api.metadata import Metadata
from labelplane.api.runtime import Runtime


class FunctionSetSpec(FunctionSet):
    """Classes, the contract with the data, the labeling functions and their tests."""

    runtime: Annotated[Runtime | None, Field(description="How the check runs; models and jobs inherit its image.")] = None


class FunctionSetStatus(Wire):
    """What the operator found."""

    observed_generation: int = -1
    last_handled_reconcile_at: str | None = None
    digest: Annotated[str | None, Field(description="Identity of the enabled functions, the schema and the lookup tables' content.")] = None
    function_count: int | None = None
    tests_passed: int | None = None
    build: Annotated[str | None, Field(description="Identity of the job code that checked the set.")] = None
    checked: Annotated[str | None, Field(description="Digest of what was checked; the check runs again when it changes.")] = None
    conditions: Conditions = []


class LabelingFunctionSet(Wire):
    """A parsed LabelingFunctionSet."""

    metadata: Metadata
    spec: FunctionSetSpec
    status: FunctionSetStatus = FunctionSetStatus()
