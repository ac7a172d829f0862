"""`make demo-cluster`: the mail example on a real Kubernetes, from nothing to labels, with every step shown."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from devcluster import cluster, images
from devcluster.find import Found, find
from devcluster.folders import ClusterFolders, program
from devcluster.project_images import IMAGES, JOB, OPERATOR
from devcluster.volumes import make_volume

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples/mail-triage"
NAMESPACE, SYSTEM, CLAIM = "mail-triage", "labelplane-system", "mail"
DEADLINE_SECONDS = 300
FIRST_LABELS = """
import sys
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
print(table.to_pandas(columns=["mail_id", "label", "confidence", "weight"]).head(8).to_string(index=False))
"""


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


def main() -> int:
    try:
        _run(find())
    except (DemoError, cluster.ClusterError, images.ImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(found: Found) -> None:
    started = time.monotonic()
    tools = _Tools(found)
    _step("install the operator with Helm")
    tools.helm("upgrade", "--install", "labelplane", str(ROOT / "charts/labelplane"), "-n", SYSTEM, "--create-namespace", "--wait", *tools.image_flags())
    _step("load the mails into a volume")
    tools.load_data()
    _step(f"kubectl apply -k {EXAMPLE.relative_to(ROOT)}")
    print(tools.kubectl("apply", "-n", NAMESPACE, "-k", str(EXAMPLE)))
    _follow(tools)
    _step("kubectl get lfs,lm,lj")
    print(tools.kubectl("-n", NAMESPACE, "get", "lfs,lm,lj"))
    _step("Events")
    print(tools.kubectl("-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp", "-o", "custom-columns=KIND:.involvedObject.kind,REASON:.reason,MESSAGE:.message"))
    _step("the first labels")
    print(tools.first_labels())
    print(f"done in {time.monotonic() - started:.0f} s; look around with KUBECONFIG={tools.kubeconfig}, remove it with make cluster-down")


class _Tools:
    """kubectl, helm and the images for the cluster that was found."""

    def __init__(self, found: Found) -> None:
        self.folders: ClusterFolders | None = None
        self.context = ["--context", found.context] if found.context else []
        if found.kind == "built":
            _step("build and start a cluster (minutes the first time)")
            self.folders = cluster.up("dev")
            self.kubeconfig = self.folders.kubeconfig
            _step("build both images")
            for image in IMAGES:
                images.build(image)
                images.load(self.folders, image.tag)
        elif found.kind == "named":
            self.kubeconfig = found.kubeconfig or Path.home() / ".kube/config"
            if not {"LABELPLANE_OPERATOR_IMAGE", "LABELPLANE_JOB_IMAGE"} <= set(os.environ):
                raise DemoError("a named cluster pulls its images: push both, and name them in LABELPLANE_OPERATOR_IMAGE and LABELPLANE_JOB_IMAGE")
        else:
            raise DemoError(f"{found.kind} was found, and cannot run this demo yet: name a cluster in LABELPLANE_KUBECONFIG, or unset KUBEBUILDER_ASSETS")

    def kubectl(self, *arguments: str, text_in: str | None = None) -> str:
        return _output([_program("kubectl"), "--kubeconfig", str(self.kubeconfig), *self.context, *arguments], text_in)

    def helm(self, *arguments: str) -> str:
        context = ["--kube-context", self.context[1]] if self.context else []
        return _output([_program("helm"), "--kubeconfig", str(self.kubeconfig), *context, *arguments], None)

    def image_flags(self) -> list[str]:
        operator, job = os.environ.get("LABELPLANE_OPERATOR_IMAGE", OPERATOR.tag), os.environ.get("LABELPLANE_JOB_IMAGE", JOB.tag)
        flags = []
        for key, image in (("image", operator), ("jobImage", job)):
            repository, tag = image.rsplit(":", 1)
            flags += ["--set", f"{key}.repository={repository}", "--set", f"{key}.tag={tag}"]
        build = images.image_id(OPERATOR.tag)[:12] if self.folders else "named"
        return [*flags, "--set", f"operator.podAnnotations.build=b{build}"]

    @property
    def job_image(self) -> str:
        return os.environ.get("LABELPLANE_JOB_IMAGE", JOB.tag)

    def load_data(self) -> None:
        """Namespace and claim, and a Job that copies the mails from a ConfigMap (too large for client-side apply) into it."""
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        if self.folders:
            make_volume(self.folders, NAMESPACE, CLAIM)
        else:
            self._apply(_claim())
        ours = ["-n", NAMESPACE]
        self.kubectl(*ours, "delete", "configmap/mail-data", "job/load-mails", "--ignore-not-found")
        self.kubectl(*ours, "create", "configmap", "mail-data", f"--from-file={EXAMPLE}/data/mails.parquet")
        self._apply(_pod_job("load-mails", self.job_image, ["sh", "-c", "mkdir -p /mail/data && cp /source/mails.parquet /mail/data/"], source="mail-data"))
        self.kubectl(*ours, "wait", "--for=condition=Complete", "--timeout=120s", "job/load-mails")
        self.kubectl(*ours, "delete", "configmap/mail-data", "job/load-mails")

    def first_labels(self) -> str:
        """A Job prints the head of the table, from inside the cluster."""
        ours = ["-n", NAMESPACE]
        self.kubectl(*ours, "delete", "job/show-labels", "--ignore-not-found")
        self._apply(_pod_job("show-labels", self.job_image, ["python", "-c", FIRST_LABELS, "/mail/labels/mail-triage"]))
        self.kubectl(*ours, "wait", "--for=condition=Complete", "--timeout=120s", "job/show-labels")
        shown = self.kubectl(*ours, "logs", "job/show-labels")
        self.kubectl(*ours, "delete", "job/show-labels")
        return shown

    def _apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", text_in=json.dumps(manifest))


def _follow(tools: _Tools) -> None:
    """A line for each change of a Ready condition, until all three are Ready or one is Stalled."""
    seen: dict[str, str] = {}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        items = json.loads(tools.kubectl("-n", NAMESPACE, "get", "lfs,lm,lj", "-o", "json"))["items"]
        states = [_conditions(item) for item in items]
        for item, state in zip(items, states, strict=True):
            ready = state.get("Ready", {"reason": "", "message": ""})
            text = f"{item['kind']:20} {ready['reason']:20} {ready['message']}"
            if seen.get(item["kind"]) != text:
                seen[item["kind"]] = text
                print(f"  {text}", flush=True)
        if any("Stalled" in state for state in states):
            raise DemoError("a resource is Stalled: see the lines above")
        if states and all(state.get("Ready", {}).get("status") == "True" and "Running" not in state for state in states):
            return
        time.sleep(0.5)
    raise DemoError(f"not Ready after {DEADLINE_SECONDS} s: look at kubectl -n {NAMESPACE} get lfs,lm,lj,pods")


def _conditions(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Conditions by type; none until the operator has looked at the present generation."""
    status = item.get("status", {})
    if status.get("observedGeneration") != item["metadata"]["generation"]:
        return {}
    return {one["type"]: one for one in status.get("conditions", [])}


def _claim() -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM, "namespace": NAMESPACE}, "spec": spec}


def _pod_job(name: str, image: str, command: list[str], *, source: str | None = None) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [{"name": "mail", "mountPath": "/mail"}]
    volumes: list[dict[str, Any]] = [{"name": "mail", "persistentVolumeClaim": {"claimName": CLAIM}}]
    if source:
        mounts.append({"name": "source", "mountPath": "/source"})
        volumes.append({"name": "source", "configMap": {"name": source}})
    restricted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": command, "volumeMounts": mounts, "securityContext": restricted}
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": volumes,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"backoffLimit": 2, "template": {"spec": pod}}}


def _program(name: str) -> str:
    return str(program(name))


def _output(command: list[str], text_in: str | None) -> str:
    done = subprocess.run(command, input=text_in, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{' '.join(Path(part).name if index == 0 else part for index, part in enumerate(command[:5]))} ...: {done.stderr.strip()}")
    return done.stdout


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
