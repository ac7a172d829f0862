"""`python` functions in a pod: under the restricted standard, a read-only root and the runtime's seccomp profile."""

import pytest

from labeljob.labeling_functions.sandbox import landlock_version
from tests.cluster_fixtures import RealCluster
from tests.e2e.operator import Installed, message
from tests.e2e.rollouts import function_set

pytestmark = [pytest.mark.cluster]

RULES = """
import os
from pathlib import Path
import pyarrow as pa

def confined(batch):
    seen = 0
    for place in ("/etc/labelplane/config.json", "/proc/1/environ", "/mnt"):
        try:
            seen += len(os.listdir(place) if place == "/mnt" else Path(place).read_bytes())
        except PermissionError:
            pass
    return pa.array(["risky" if seen or "PLANTED" in os.environ else "normal"] * batch.num_rows)
"""


def test_a_pod_calls_a_function_that_sees_nothing_of_it(operator: Installed, cluster: RealCluster, namespace: str) -> None:
    """C2, F5, X20: code from the image, or as here from a folder that the environment names; a module that is not there is named with the remedy."""
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "namespace": namespace}, "data": {"rules.py": RULES, "table.csv": "message,verdict\nx,risky\n"}}
    table = {"uri": "configmap://code/table.csv", "format": "csv"}
    functions = [
        {"name": "confined", "python": {"entrypoint": "rules:confined", "columns": ["message"]}},
        {"name": "known", "lookup": {"column": "message", "table": table, "keyColumn": "message", "labelColumn": "verdict"}},
    ]
    environment = [{"name": "LABELJOB_FUNCTIONS", "value": "/mnt/configmap/code"}, {"name": "PLANTED", "value": "x"}]
    expected = {"known": "risky", "confined": "normal" if landlock_version() else "risky"}
    given = {"functions": functions, "tests": [{"row": {"message": "x"}, "expect": expected}], "runtime": {"env": environment}}
    absent = [{"name": "absent", "python": {"entrypoint": "no_such_module:f", "columns": ["message"]}}]
    stalled = function_set(namespace, functions=absent, tests=[])
    stalled["metadata"]["name"] = "absent"
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.apply(code, function_set(namespace, **given), stalled)
    operator.ready(namespace, "labelingfunctionset")
    found = operator.reason(namespace, "FunctionsInvalid", "labelingfunctionset", "absent")
    assert "spec.functions[0].python.entrypoint: there is no module no_such_module: add it to the image" in message(found)
