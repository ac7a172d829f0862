"""A client of the API server under test, an operator that serves a namespace of it, and somebody who plays the node."""

from collections.abc import AsyncIterator

import pytest

from labelplane.cluster.client import Client, load_configuration
from tests.cluster_fixtures import RealCluster
from tests.integration.operator.player import World, playing
from tests.integration.operator.process import OperatorProcess, operator_process
from tests.integration.operator.serving import Namespace


@pytest.fixture
async def client(api_server: RealCluster) -> AsyncIterator[Client]:
    """An administrator's client."""
    async with Client(await load_configuration({"LABELPLANE_KUBECONFIG": str(api_server.kubeconfig)})) as made:
        yield made


@pytest.fixture
def ns(client: Client, api_namespace: str) -> Namespace:
    return Namespace(client, api_namespace)


@pytest.fixture
async def world(client: Client, api_namespace: str) -> AsyncIterator[World]:
    async with playing(client, api_namespace, World()) as made:
        yield made


@pytest.fixture
async def operator(api_server: RealCluster, api_namespace: str) -> AsyncIterator[OperatorProcess]:
    async with operator_process(api_server.kubeconfig, api_namespace) as process:
        yield process
