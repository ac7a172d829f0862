"""How a job runs: its own runtime over the model's over the set's, and which image that is."""

from labelplane.api.runtime import Runtime
from labelplane.plan.observed import ObservedJob
from labelplane.settings import Settings


def merged(*runtimes: Runtime | None) -> Runtime:
    """Fields of earlier runtimes win; `resources`, `env` and the like are taken whole."""
    result = Runtime()
    for runtime in runtimes:
        if runtime is not None:
            missing = {name: value for name, value in runtime if value is not None and getattr(result, name) is None}
            result = result.model_copy(update=missing)
    return result


def image_of(runtime: Runtime, settings: Settings) -> str:
    """The image reference that the pods use."""
    return runtime.image or settings.job_image


def pinned_image(reference: str, job: ObservedJob, build: str) -> str:
    """A digest that names the image: as given, else as the node pulled it, else the build that the image holds."""
    if "@sha256:" in reference:
        return reference
    if job.image_id and "@sha256:" in job.image_id:
        return job.image_id.removeprefix("docker-pullable://")
    return f"build:{build}"


def at_pinned_image(runtime: Runtime, pin: str) -> Runtime:
    """The runtime with the pinned reference, where a registry digest is known."""
    return runtime if pin.startswith("build:") else runtime.model_copy(update={"image": pin})
