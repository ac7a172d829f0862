"""Reads objects of a test's cluster over HTTP, makes namespaces, and asks what it would refuse, as its administrator."""

import json
import ssl
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from devcluster.folders import ClusterFolders
from tests.patience import HANG_SECONDS

GROUPS = {
    "labelingfunctionsets": "apis/labelplane.dev/v1alpha1",
    "labelmodels": "apis/labelplane.dev/v1alpha1",
    "labeljobs": "apis/labelplane.dev/v1alpha1",
    "jobs": "apis/batch/v1",
    "pods": "api/v1",
    "events": "api/v1",
    "resourcequotas": "api/v1",
    "serviceaccounts": "api/v1",
}


def read_object(folders: ClusterFolders, namespace: str, plural: str, name: str, selector: str) -> Any:
    """An object or a list as the API server gives it; AssertionError with its words when it refuses."""
    path = f"{GROUPS[plural]}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")
    answer = _ask(folders, "GET", path, {"labelSelector": selector} if selector else {})
    assert answer.is_success, f"GET {path}: {answer.text}"
    return answer.json()


def create_namespace(folders: ClusterFolders, name: str) -> None:
    """An empty one."""
    answer = _ask(folders, "POST", "api/v1/namespaces", {}, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert answer.is_success, f"POST {name}: {answer.text}"


def delete_namespace(folders: ClusterFolders, name: str) -> None:
    """Begin to; it goes with all that is in it."""
    answer = _ask(folders, "DELETE", f"api/v1/namespaces/{name}", {})
    assert answer.is_success, f"DELETE {name}: {answer.text}"


def dry_run(folders: ClusterFolders, manifest: dict[str, Any]) -> str:
    """Why the API server would not create the object, by its own rules and admission, in its own words; empty when it would."""
    plural = f"{manifest['kind'].lower()}s"
    path = f"{GROUPS[plural]}/namespaces/{manifest['metadata']['namespace']}/{plural}"
    answer = _ask(folders, "POST", path, {"dryRun": "All", "fieldValidation": "Strict"}, manifest)
    return "" if answer.status_code == HTTPStatus.CREATED else str(answer.json()["message"])


def _ask(folders: ClusterFolders, method: str, path: str, parameters: dict[str, str], content: object = None) -> httpx.Response:
    server, authority, token = _access(folders.kubeconfig)
    headers = {"Authorization": f"Bearer {token}"}
    return _client(authority).request(method, f"{server}/{path}", params=parameters, headers=headers, json=content)


def _access(kubeconfig: Path) -> tuple[str, str, str]:
    content = json.loads(kubeconfig.read_text())  # as devcluster writes it
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    return cluster["server"], cluster["certificate-authority"], user["token"]


@cache
def _client(authority: str) -> httpx.Client:
    """One for each cluster and process: tests that wait ask often, and the handshake is most of an answer's cost."""
    return httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=HANG_SECONDS)
