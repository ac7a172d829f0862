"""Reads objects of a test's cluster over HTTP, as its administrator."""

import ssl
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from devcluster.folders import ClusterFolders

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
    server, authority, token = _access(folders.kubeconfig)
    url = f"{server}/{GROUPS[plural]}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")
    headers = {"Authorization": f"Bearer {token}"}
    answer = _client(authority).get(url, params={"labelSelector": selector} if selector else {}, headers=headers)
    assert answer.is_success, f"GET {url}: {answer.text}"
    return answer.json()


def _access(kubeconfig: Path) -> tuple[str, str, str]:
    content = yaml.safe_load(kubeconfig.read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    return cluster["server"], cluster["certificate-authority"], user["token"]


@cache
def _client(authority: str) -> httpx.Client:
    """One for each cluster and process: tests that wait ask often, and the handshake is most of an answer's cost."""
    return httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=30)
