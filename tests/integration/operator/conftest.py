"""A client of the API server under test."""

from collections.abc import AsyncIterator

import pytest

from labelplane.cluster.client import Client, load_configuration
from tests.cluster_fixtures import RealCluster


@pytest.fixture
async def client(api_server: RealCluster) -> AsyncIterator[Client]:
    """An administrator's client."""
    async with Client(await load_configuration({"LABELPLANE_KUBECONFIG": str(api_server.kubeconfig)})) as made:
        yield made
