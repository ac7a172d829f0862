"""The measuring process: how often a method is timed, and what a set without an answer in time gives."""

from importlib.util import find_spec

import pytest

from benchmarks.label_models.child import quality_task, time_task
from benchmarks.label_models.generator import Cell, generate
from benchmarks.label_models.measure import as_json, on_disk
from benchmarks.label_models.method import PLAIN
from benchmarks.label_models.methods import FIXED_NAMES

MADE = generate(Cell(600, 6, 2))


def test_a_method_is_timed_until_it_had_its_rounds_or_its_seconds() -> None:
    names = [PLAIN, *FIXED_NAMES]
    with on_disk(MADE.votes, MADE.truth) as files:
        fresh = {f"fresh_{name}": path for name, path in files.items()}
        seconds = dict(zip(names, (60.0, 60.0, 0.0), strict=True))
        found = {one["method"]: one for one in time_task({"methods": names, "classes": 2, "rounds": 3, "seconds": seconds, **files, **fresh})}
    assert [found[name]["rounds"] for name in names] == [3, 3, 1]
    assert found[FIXED_NAMES[0]]["scores"]["fresh"] < found[PLAIN]["scores"]["fresh"]


@pytest.mark.skipif(find_spec("flyingsquid") is not None, reason="the peer is installed here")
def test_what_fails_is_a_result_and_the_oracle_is_scored_where_it_is_known() -> None:
    with on_disk(MADE.votes, MADE.truth) as files:
        task = {"methods": [PLAIN, "FlyingSquid"], "classes": 2, "limit": 60, "parameters": as_json(MADE.parameters), **files}
        oracle, plain, peer = quality_task(task)
    assert oracle["scores"]["log_loss"] < plain["scores"]["log_loss"]
    assert peer["error"].startswith("ModuleNotFoundError")
