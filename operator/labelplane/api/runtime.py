"""How the pods of a resource run: typed fields instead of a pod template."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from labeljob.contract.base import Wire
from labelplane.api.quantities import QUANTITY_CHARACTERS, QUANTITY_PATTERN, known_quantity

ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
Quantity = Annotated[
    str | int,
    BeforeValidator(known_quantity),
    Field(
        description="A Kubernetes quantity such as 500m or 2Gi.",
        json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "maxLength": QUANTITY_CHARACTERS},
    ),
]


class ImagePullSecret(Wire):
    """A Secret that holds registry credentials."""

    name: Annotated[str, Field(min_length=1, max_length=253)]


class Resources(Wire):
    """Requests and limits of the job's container."""

    requests: Annotated[dict[str, Quantity] | None, Field(max_length=16)] = None
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=16)] = None


SizedResources = Annotated[
    Resources | None, Field(description="What each pod asks for where spec.runtime.resources does not say: sized from the stored bytes when the pins were made.")
]


class Toleration(Wire):
    """A taint that the pods tolerate."""

    key: Annotated[str | None, Field(max_length=317)] = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Annotated[str | None, Field(max_length=63)] = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class EnvironmentVariable(Wire):
    """A plain environment variable of the job's container."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=ENV_NAME_PATTERN)]
    value: Annotated[str, Field(max_length=4096)]


class Runtime(Wire):
    """How the pods run. Every field may be left out."""

    image: Annotated[
        str | None, Field(min_length=1, max_length=512, description="Job image. When left out: the one the operator was installed with.")
    ] = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Annotated[list[ImagePullSecret] | None, Field(max_length=16)] = None
    resources: Annotated[
        Resources | None,
        Field(
            description="Requests and limits of the pods, each as it is given. requests.cpu, requests.memory and limits.memory that are left out are sized from the bytes that"
            " a pod reads, and never against what is given: 50m, 128Mi and 512Mi for up to 1 MiB, and at most 500m, 1Gi and 1Gi."
        ),
    ] = None
    node_selector: Annotated[dict[str, str] | None, Field(max_length=64)] = None
    tolerations: Annotated[list[Toleration] | None, Field(max_length=32)] = None
    service_account_name: Annotated[
        str | None, Field(max_length=253, description="When left out: default. Its token is never mounted.")
    ] = None
    priority_class_name: Annotated[str | None, Field(max_length=253)] = None
    env: Annotated[list[EnvironmentVariable] | None, Field(max_length=64)] = None
    fs_group: Annotated[int | None, Field(ge=0, le=2147483647, description="Group that owns the mounted volumes. When left out: 65532.")] = None
