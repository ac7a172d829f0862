"""A key in a real Secret: missing, then used by pods of the restricted standard, and seen nowhere (F5)."""

import hashlib
import hmac

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import RealCluster
from tests.e2e.operator import Installed, message
from tests.e2e.rollouts import function_set, labels, three
from tests.manifests import changed

pytestmark = pytest.mark.cluster
KEY = "planted-key-0123456789-abcdefghijklmnopq"


def test_ids_are_hashed_with_the_key_of_a_secret(operator: Installed, cluster: RealCluster, namespace: str, lake: Volume) -> None:
    """F5, X7: the message names Secret and key; once it is there, ids of the output are its HMACs, and nothing of the key is in any object or log."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    hashing = changed(changed(function_set(namespace), "spec.schema.columns[0].sensitive", "hash"), "spec.schema.hashKeyRef", {"name": "hashing", "key": "current"})
    cluster.apply(hashing, *three(namespace)[1:])
    stalled = operator.reason(namespace, "HashKeyInvalid", kind="labelingfunctionset")
    assert "key current of Secret hashing is not there: create it" in message(stalled)
    cluster.kubectl("-n", namespace, "create", "secret", "generic", "hashing", f"--from-literal=current={KEY}")
    operator.request(namespace, kind="labelingfunctionset")
    operator.ready(namespace)
    ids = labels(lake.folder).to_pandas()["event_id"]
    assert hmac.new(KEY.encode(), b"string:e0-00000000", hashlib.sha256).hexdigest() in set(ids)
    assert ids.str.fullmatch("[0-9a-f]{64}").all()
    seen = cluster.kubectl("-n", namespace, "get", "labelingfunctionset,labelmodel,labeljob,events,jobs,pods,configmaps", "-o", "yaml")
    for pod in cluster.get(namespace, "pods")["items"]:
        seen += cluster.kubectl("-n", namespace, "logs", pod["metadata"]["name"])
    assert "planted" not in seen
