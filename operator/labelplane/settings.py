"""Settings of the operator, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What an installation decides."""

    job_image: str
    image_pull_policy: str = "IfNotPresent"
    local: bool = False  # no cluster: file: URIs are allowed
    code: str | None = None  # digest of the code of `python` functions that is at hand; in a cluster it is the image's
    namespaces: tuple[str, ...] = ()  # empty: the whole cluster
    workers: int = 16
    resync_seconds: float = 600.0
    metrics_port: int = 8080
    probe_port: int = 8081

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `LABELPLANE_*`. Raises KeyError without LABELPLANE_JOB_IMAGE."""
        names = environment.get("LABELPLANE_NAMESPACES", "")
        return cls(
            job_image=environment["LABELPLANE_JOB_IMAGE"],
            image_pull_policy=environment.get("LABELPLANE_IMAGE_PULL_POLICY", "IfNotPresent"),
            namespaces=tuple(name.strip() for name in names.split(",") if name.strip()),
            workers=int(environment.get("LABELPLANE_WORKERS", "16")),
            resync_seconds=float(environment.get("LABELPLANE_RESYNC_SECONDS", "600")),
            metrics_port=int(environment.get("LABELPLANE_METRICS_PORT", "8080")),
            probe_port=int(environment.get("LABELPLANE_PROBE_PORT", "8081")),
        )
