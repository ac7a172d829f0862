"""A condition as Kubernetes knows it."""

from typing import Annotated, Literal

from pydantic import Field

from labeljob.contract.base import Wire


class Condition(Wire):
    """One observation of a resource's state (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    message: Annotated[str, Field(max_length=32768)]
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    observed_generation: Annotated[int | None, Field(ge=0)] = None


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=16,
        description="What is known of the resource now.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
