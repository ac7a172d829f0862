"""Which worker runs what: tests of a group run in one worker, one after the other.

xdist_group marks have no effect (xdist 3.8 puts a group's name into an attribute that pytest 9.2 no longer reads), so the workers write the
groups into the folder of the run, and the scheduler reads them there.
"""

import json
import os
from functools import cached_property

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.sharing import run_folder

GROUPS = "groups.json"


def write_groups(groups: dict[str, str]) -> None:
    """Group of each test that has one, by node id. Every worker writes the same, and none is met half way."""
    partial = run_folder() / f"{GROUPS}.{os.getpid()}"
    partial.write_text(json.dumps(groups))
    partial.replace(run_folder() / GROUPS)


class GroupScheduling(LoadScopeScheduling):
    """In the order of collection; a group stands where its first test does."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    @cached_property
    def groups(self) -> dict[str, str]:
        """As the workers wrote them; by the time of the first question all have collected."""
        found: dict[str, str] = json.loads((run_folder() / GROUPS).read_text())
        return found

    def _split_scope(self, nodeid: str) -> str:
        return self.groups.get(nodeid, nodeid)
