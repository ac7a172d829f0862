"""Fixtures for every test."""

from tests.cluster_fixtures import api_namespace, api_server, cluster, namespace, volume

__all__ = ["api_namespace", "api_server", "cluster", "namespace", "volume"]
