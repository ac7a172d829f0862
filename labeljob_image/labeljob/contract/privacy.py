"""What jobs and operator tell each other of sensitive data: which key hashes it, and where it is suspected. Never a value, never a key."""

from typing import Annotated, Literal

from pydantic import Field

from labeljob.contract.base import Wire

FINDINGS = 5  # in a result
REF_NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
REF_KEY_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"


class SecretKeyRef(Wire):
    """A key of a Secret in the namespace of the resource."""

    name: Annotated[str, Field(max_length=253, pattern=REF_NAME_PATTERN, description="Name of the Secret.")]
    key: Annotated[str, Field(max_length=253, pattern=REF_KEY_PATTERN, description="Its key.")]

    @property
    def uri(self) -> str:
        """Where a job finds it among its mounts."""
        return f"secret://{self.name}/{self.key}"


class HashKeyPin(SecretKeyRef):
    """Which key values were hashed with. `id` tells keys apart and does not tell what they are."""

    id: str


class PrivacyFinding(Wire):
    """A column that looks like personal data, by a sample of its values.

    `share` of the sampled values are one (`is`), or hold one (`holds`).
    """

    column: str
    pattern: str
    how: Literal["is", "holds"]
    share: float
    sampled: int
