"""Fixtures for every test, the order of tests, and the turns they take on what they share."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster_fixtures import api_namespace, api_server, cluster, namespace, take_down, volume
from tests.sharing import SHARED, remove_run_folder, run_folder, turn

__all__ = ["api_namespace", "api_server", "cluster", "namespace", "volume"]


def pytest_configure(config: pytest.Config) -> None:
    run_folder()  # before the workers start, which inherit its name


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        take_down()
        remove_run_folder()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long waits first, tests that must be alone after their company, and quick ones last, beside those."""
    items.sort(key=_rank)
    for item in items:
        if item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group(f"alone-{_shares(item)[0]}"))


def _rank(item: pytest.Item) -> int:
    alone = item.get_closest_marker("alone") is not None
    if "cluster" in _shares(item):
        return 1 if alone else 0
    if "api_server" in _shares(item):
        return 3 if alone else 2
    return 4


def _shares(item: pytest.Item) -> list[str]:
    return [name for name in SHARED if name in getattr(item, "fixturenames", ())]


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test marked `alone` has its cluster for itself; the others share it."""
    with ExitStack() as turns:
        for name in _shares(request.node):
            turns.enter_context(turn(name, alone=request.node.get_closest_marker("alone") is not None))
        yield
