"""One installation of the operator for all end-to-end tests."""

from collections.abc import Callable, Iterator

import pytest

from devcluster.volumes import Volume
from tests.cluster_fixtures import RealCluster
from tests.e2e.operator import Installed, installed
from tests.e2e.rollouts import write_events


@pytest.fixture(scope="session")
def operator(cluster: RealCluster) -> Iterator[Installed]:
    """The operator, serving the whole cluster."""
    with installed(cluster) as one:
        yield one


@pytest.fixture
def lake(volume: Callable[..., Volume]) -> Volume:
    """A claim `lake` with 2,000 events in a Delta table."""
    made = volume("lake")
    write_events(made.folder, 2000)
    return made
