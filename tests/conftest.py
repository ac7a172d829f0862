"""Fixtures for every test, the order of tests, and the turns they take on what they share."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.cluster_fixtures import api_namespace, api_server, cluster, namespace, take_down, volume
from tests.object_store import object_store
from tests.scheduling import GroupScheduling, write_groups
from tests.sharing import SHARED, remove_run_folder, run_folder, turn

__all__ = ["api_namespace", "api_server", "cluster", "namespace", "object_store", "volume"]

settings.register_profile("any-machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any-machine")
gc.disable()  # while thousands of tests are collected, none of which is garbage


def pytest_configure(config: pytest.Config) -> None:
    """Before the workers start, which inherit the environment."""
    run_folder()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would each compile the whole project
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # there are as many processes as there is work for; more threads only wait for one another


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        take_down()
        remove_run_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_unconfigure() -> None:
    gc.unfreeze()  # what bindings find alive at the end they call leaked


def pytest_collection_finish() -> None:
    gc.freeze()  # it stays to the end, and need not be looked at again and again
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long waits first, tests that must be alone after their company, and quick ones last, beside those.

    One test makes each cluster; meanwhile the other workers do what needs none: the groups, which are long.
    """
    items.sort(key=_rank)
    firsts = [_first(items, name) for name in SHARED]
    items.sort(key=lambda item: firsts.index(item) if item in firsts else len(firsts))
    write_groups({item.nodeid: group for item in items if (group := _group(item))})


def _first(items: list[pytest.Item], name: str) -> pytest.Item | None:
    """The first test on the cluster of this name."""
    return next((item for item in items if name in _shares(item)), None)


def _group(item: pytest.Item) -> str | None:
    """Tests that must be alone would only wait for one another; what a module prepares once would be prepared in each worker."""
    if item.get_closest_marker("alone"):
        return f"alone-{_shares(item)[0]}"
    return item.location[0] if _prepared(item) else None


def _rank(item: pytest.Item) -> int:
    alone = item.get_closest_marker("alone") is not None
    if "cluster" in _shares(item):
        return 2 if alone else 1
    if "api_server" in _shares(item):
        return 4 if alone else 3
    return 0 if _prepared(item) else 5


def _prepared(item: pytest.Item) -> bool:
    """Whether it uses a fixture of its module's that is made once for all the module's tests."""
    if not isinstance(item, pytest.Function):
        return False
    used = (definitions[-1] for definitions in item._fixtureinfo.name2fixturedefs.values())
    return any(one.scope == "module" and one.func.__module__ == item.module.__name__ for one in used)


def _shares(item: pytest.Item) -> list[str]:
    return [name for name in SHARED if name in getattr(item, "fixturenames", ())]


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test marked `alone` has its cluster for itself; the others share it."""
    with ExitStack() as turns:
        for name in _shares(request.node):
            turns.enter_context(turn(name, alone=request.node.get_closest_marker("alone") is not None))
        yield
