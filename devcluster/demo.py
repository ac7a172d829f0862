"""`make demo-cluster`: the mail example on a real Kubernetes, from nothing to labels, with every step shown."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from devcluster import cluster, images
from devcluster.demo_target import DemoError, Target, note_before, prepare, take_down
from devcluster.find import Found, find
from devcluster.project_images import OPERATOR
from devcluster.volumes import make_volume

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples/mail-triage"
NAMESPACE, SYSTEM, CLAIM = "mail-triage", "labelplane-system", "mail"
CRDS = tuple(f"{plural}.labelplane.dev" for plural in ("labelingfunctionsets", "labelmodels", "labeljobs"))
DEADLINE_SECONDS = 300
FIRST_LABELS = """
import sys
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
print(table.to_pandas(columns=["mail_id", "label", "confidence", "weight"]).head(8).to_string(index=False))
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster.demo", description=__doc__)
    parser.add_argument("--down", action="store_true", help="remove what the demo made, and nothing else")
    try:
        if parser.parse_args().down:
            for removed in take_down() or ["nothing: the demo made nothing that is still there"]:
                print(f"removed {removed}")
        else:
            _run(find())
    except (DemoError, cluster.ClusterError, images.ImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(found: Found) -> None:
    started = time.monotonic()
    _step(f"prepare the cluster ({found.kind}) and both images; a first build takes minutes")
    target = prepare(found)
    demo = _Demo(target)
    note_before(target, (SYSTEM, NAMESPACE), SYSTEM, CRDS)
    _step("install the operator with Helm")
    target.helm("upgrade", "--install", "labelplane", str(ROOT / "charts/labelplane"), "-n", SYSTEM, "--create-namespace", "--wait", *demo.image_flags())
    _step("load the mails into a volume")
    demo.load_data()
    _step(f"kubectl apply -k {EXAMPLE.relative_to(ROOT)}")
    print(demo.kubectl("apply", "-n", NAMESPACE, "-k", str(EXAMPLE)))
    _follow(demo)
    _step("kubectl get lfs,lm,lj")
    print(demo.kubectl("-n", NAMESPACE, "get", "lfs,lm,lj"))
    _step("Events")
    columns = "custom-columns=KIND:.involvedObject.kind,TYPE:.type,REASON:.reason,COUNT:.count,MESSAGE:.message"
    print(demo.kubectl("-n", NAMESPACE, "get", "events", "--field-selector=reportingComponent=labelplane", "--sort-by=.firstTimestamp", "-o", columns))
    _step("the first labels")
    print(demo.first_labels())
    print(f"done in {time.monotonic() - started:.0f} s; look around with KUBECONFIG={target.kubeconfig}, remove it with make cluster-down")


class _Demo:
    """The mail example on the cluster that was found."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.kubectl = target.kubectl

    def image_flags(self) -> list[str]:
        flags = []
        for key, image in (("image", self.target.operator_image), ("jobImage", self.target.job_image)):
            repository, tag = image.rsplit(":", 1)
            flags += ["--set", f"{key}.repository={repository}", "--set", f"{key}.tag={tag}"]
        build = images.image_id(OPERATOR.tag)[:12] if self.target.folders else self.target.where
        return [*flags, "--set", f"operator.podAnnotations.build=b{build}"]

    def load_data(self) -> None:
        """Namespace and claim, and a Job that copies the mails from a ConfigMap (too large for client-side apply) into it."""
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        if self.target.folders:
            make_volume(self.target.folders, NAMESPACE, CLAIM)
        else:
            self._apply(_claim())
        ours = ["-n", NAMESPACE]
        self.kubectl(*ours, "delete", "configmap/mail-data", "job/load-mails", "--ignore-not-found")
        self.kubectl(*ours, "create", "configmap", "mail-data", f"--from-file={EXAMPLE}/data/mails.parquet")
        self._apply(_pod_job("load-mails", self.target.job_image, ["sh", "-c", "mkdir -p /mail/data && cp /source/mails.parquet /mail/data/"], source="mail-data"))
        self.kubectl(*ours, "wait", "--for=condition=Complete", "--timeout=120s", "job/load-mails")
        self.kubectl(*ours, "delete", "configmap/mail-data", "job/load-mails")

    def first_labels(self) -> str:
        """A Job prints the head of the table, from inside the cluster."""
        ours = ["-n", NAMESPACE]
        self.kubectl(*ours, "delete", "job/show-labels", "--ignore-not-found")
        self._apply(_pod_job("show-labels", self.target.job_image, ["python", "-c", FIRST_LABELS, "/mail/labels/mail-triage"]))
        self.kubectl(*ours, "wait", "--for=condition=Complete", "--timeout=120s", "job/show-labels")
        shown = self.kubectl(*ours, "logs", "job/show-labels")
        self.kubectl(*ours, "delete", "job/show-labels")
        return shown

    def _apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", text_in=json.dumps(manifest))


def _follow(demo: _Demo) -> None:
    """A line for each change of a Ready condition, until all three are Ready or one is Stalled."""
    seen: dict[str, str] = {}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        items = json.loads(demo.kubectl("-n", NAMESPACE, "get", "lfs,lm,lj", "-o", "json"))["items"]
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


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
