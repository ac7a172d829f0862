"""One installation of the operator for all end-to-end tests, and the two namespaces that most of them share."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import RealCluster, SharedNamespace, shared_namespace
from tests.e2e.operator import Installed, install
from tests.e2e.own_job import OwnJob, prepare_served
from tests.e2e.rollouts import three, write_events
from tests.sharing import once


@pytest.fixture(scope="session")
def operator(cluster: RealCluster) -> Installed:
    """The operator, serving the whole cluster. It goes with the cluster."""
    namespace = "labelplane-system"
    once("operator", lambda: install(cluster, namespace))
    return Installed(cluster, namespace)


@pytest.fixture
def lake(volume: Callable[..., Volume]) -> Volume:
    """A claim `lake` with 2,000 events in a Delta table."""
    made = volume("lake")
    write_events(made.folder, 2000)
    return made


@pytest.fixture
def finished(operator: Installed) -> SharedNamespace:
    """A namespace whose pipeline has labelled 2,000 events under the restricted pod standard: to be looked at, and not to be changed."""

    def prepare(shared: SharedNamespace) -> None:
        write_events(shared.lake.folder, 2000)
        operator.cluster.kubectl("label", "namespace", shared.name, "pod-security.kubernetes.io/enforce=restricted")
        operator.cluster.apply(*three(shared.name))
        operator.ready(shared.name)

    return shared_namespace(operator.cluster, "finished", prepare)


@pytest.fixture
def mine(operator: Installed) -> Iterator[OwnJob]:
    """A LabelJob of the test's own in the namespace `served`."""
    with _own_job(operator) as made:
        yield made


@pytest.fixture
def another(operator: Installed) -> Iterator[OwnJob]:
    """A second one beside `mine`."""
    with _own_job(operator) as made:
        yield made


@contextmanager
def _own_job(operator: Installed) -> Iterator[OwnJob]:
    served = shared_namespace(operator.cluster, "served", lambda shared: prepare_served(operator, shared))
    with ExitStack() as undo:
        made = OwnJob(operator, served.name, served.lake.folder, f"job-{secrets.token_hex(4)}", undo)
        yield made
        operator.cluster.kubectl("-n", served.name, "delete", "labeljob", made.name, "--ignore-not-found", "--wait=false")
