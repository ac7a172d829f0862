"""The operator as a user installs it, and what tests ask of the resources it serves."""

import secrets
import subprocess
from dataclasses import dataclass
from typing import Any

from devcluster import node
from devcluster.images import image_id
from devcluster.project_images import JOB, OPERATOR
from labelplane.status.checker import violations
from tests.cluster_fixtures import ROOT, RealCluster
from tests.patience import HANG_SECONDS

KINDS = ("labelingfunctionset", "labelmodel", "labeljob")


@dataclass(frozen=True)
class Installed:
    """An installed operator."""

    cluster: RealCluster
    namespace: str

    def resource(self, namespace: str, kind: str, name: str = "rollouts") -> dict[str, Any]:
        """The resource; its status must obey the rules of conditions whenever anybody looks."""
        found = self.cluster.get(namespace, f"{kind}s", name)
        assert violations(found) == []
        return found

    def settled(self, namespace: str, kind: str = "labeljob", name: str = "rollouts") -> dict[str, Any]:
        """The resource once it is Ready or Stalled for its present generation."""

        def look() -> dict[str, Any] | None:
            found = self.resource(namespace, kind, name)
            status = found.get("status", {})
            if status.get("observedGeneration") != found["metadata"]["generation"]:
                return None
            done = condition(found, "Ready") == "True" and condition(found, "Running") is None
            return found if done or condition(found, "Stalled") == "True" else None

        settled: dict[str, Any] = self.cluster.wait(f"{kind} {namespace}/{name} to settle", look)
        return settled

    def ready(self, namespace: str, kind: str = "labeljob", name: str = "rollouts") -> dict[str, Any]:
        """The resource once it is Ready; a Stalled one fails the test with its conditions."""
        found = self.settled(namespace, kind, name)
        assert condition(found, "Ready") == "True", found["status"]["conditions"]
        return found

    def reason(self, namespace: str, reason: str, kind: str = "labeljob", name: str = "rollouts", *, timeout: float = HANG_SECONDS) -> dict[str, Any]:
        """The resource once its Ready condition gives this reason."""
        return self.cluster.wait(
            f"{kind} {namespace}/{name} to say {reason}",
            lambda: (found := self.resource(namespace, kind, name)) and ready_reason(found) == reason and found,
            timeout=timeout,
        )

    def event(self, namespace: str, reason: str, words: str = "", name: str = "rollouts") -> None:
        """Wait for an Event of ours about the LabelJob with this reason and these words: it is posted after the status that it is about."""

        def told() -> bool:
            seen[:] = self._events(namespace, name)
            return any(found == reason and words in text for found, text in seen)

        seen: list[tuple[str, str]] = []
        self.cluster.wait(f"an Event {reason} {words}", told, last=lambda: seen)

    def _events(self, namespace: str, name: str) -> list[tuple[str, str]]:
        """(reason, message) of every Event about the LabelJob that Labelplane raised."""
        items = self.cluster.get(namespace, "events")["items"]
        about = (item for item in items if (item["involvedObject"]["kind"], item["involvedObject"]["name"]) == ("LabelJob", name))
        ours = (item for item in about if item.get("reportingComponent", "").startswith("labelplane"))
        return [(item["reason"], item.get("message", "")) for item in ours]

    def kill(self) -> bool:
        """SIGKILL the operator's process, as a node under memory pressure would; the pod goes too, so that no back-off delays the next. False when none ran."""
        selector = "app.kubernetes.io/name=labelplane"
        if not kill_container(self.cluster, self.namespace, selector):
            return False  # one that is being started is left to it
        self.cluster.kubectl("-n", self.namespace, "delete", "pod", "-l", selector, "--force", "--grace-period=0")
        return True

    def request(self, namespace: str, kind: str = "labeljob", name: str = "rollouts") -> str:
        """Ask for a reconcile by annotation; returns its value."""
        value = secrets.token_hex(4)
        self.cluster.kubectl("-n", namespace, "annotate", kind, name, f"labelplane.dev/reconcile-at={value}", "--overwrite")
        return value


def condition(resource: dict[str, Any], kind: str) -> str | None:
    """Status of a condition; None when it is absent."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((one["status"] for one in conditions if one["type"] == kind), None)


def ready_reason(resource: dict[str, Any]) -> str | None:
    """Reason of the Ready condition."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((one["reason"] for one in conditions if one["type"] == "Ready"), None)


def message(resource: dict[str, Any], kind: str = "Ready") -> str:
    """Message of a condition."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((one["message"] for one in conditions if one["type"] == kind), "")


def kill_container(cluster: RealCluster, namespace: str, selector: str) -> bool:
    """SIGKILL the running container of a pod; False when there is none, or it ends by itself meanwhile."""
    pods = cluster.get(namespace, "pods", selector=selector)["items"]
    for pod in pods:
        for status in pod["status"].get("containerStatuses", []):
            if "running" in status["state"]:
                try:
                    node.ctr(cluster.folders, "task", "kill", "-s", "9", status["containerID"].removeprefix("containerd://"))
                except subprocess.CalledProcessError as error:
                    if not any(words in error.stderr for words in ("process already finished", "not found")):
                        raise
                else:
                    return True
    return False


def install(cluster: RealCluster, namespace: str, *values: str) -> None:
    """`helm upgrade --install` with the local images."""
    chosen = [flag for value in (*image_values(), *values) for flag in ("--set", value)]
    cluster.helm(
        "upgrade", "--install", "labelplane", str(ROOT / "charts/labelplane"), "-n", namespace, "--create-namespace",
        "--take-ownership", "--wait", "--timeout", f"{HANG_SECONDS:.0f}s", *chosen,
    )  # fmt: skip


def image_values() -> tuple[str, ...]:
    """Chart values that name the images of this checkout."""
    pairs = (("image", OPERATOR.tag), ("jobImage", JOB.tag))
    build = f"operator.podAnnotations.build={image_id(OPERATOR.tag)[:12]}"  # the same tag may hold a new image
    return build, *(
        value
        for key, tag in pairs
        for value in (f"{key}.repository={tag.rsplit(':', 1)[0]}", f"{key}.tag={tag.rsplit(':', 1)[1]}", f"{key}.pullPolicy=Never")
    )
