"""One installation of the operator for all end-to-end tests."""

from collections.abc import Callable

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import RealCluster
from tests.e2e.operator import Installed, install
from tests.e2e.rollouts import write_events
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
