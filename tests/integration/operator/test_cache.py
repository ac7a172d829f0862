"""The cache: never back in time, deletions found out, dependents woken."""

from typing import Any

from labelplane.api.groups import Key
from labelplane.cluster.cache import Cache, key_of
from labelplane.cluster.paths import JOBS, LABEL_JOBS, LABEL_MODELS, WatchedPath
from labelplane.handlers.feed import Feed
from labelplane.handlers.queue import WorkQueue
from tests.integration.operator.objects import function_set, job, label_job, model, pod, resource

SET, MODEL, JOB = Key("LabelingFunctionSet", "ns", "set"), Key("LabelModel", "ns", "model"), Key("LabelJob", "ns", "job")


def filled() -> Cache:
    """set <- model <- job, and another job of another model."""
    cache = Cache()
    for raw in (function_set("set"), model("model", "set"), label_job("job", "model"), label_job("stranger", "other")):
        cache.put(raw)
    return cache


def test_a_late_event_does_not_hide_our_own_write() -> None:
    cache = Cache()
    cache.put(resource("LabelJob", "job", 12))
    assert not cache.put(resource("LabelJob", "job", 9))
    assert not cache.drop(resource("LabelJob", "job", 9))
    assert cache.get(JOB)["metadata"]["resourceVersion"] == "12"


def test_a_late_answer_does_not_bring_back_the_dead() -> None:
    cache = Cache()
    cache.put(resource("LabelJob", "job", 10))
    cache.drop(resource("LabelJob", "job", 12))
    assert not cache.put(resource("LabelJob", "job", 11))
    assert cache.get(JOB) is None


def test_a_resource_of_the_same_name_may_come_again() -> None:
    cache = Cache()
    cache.drop(resource("LabelJob", "job", 12))
    assert cache.put(resource("LabelJob", "job", 13, uid="second"))
    assert cache.get(JOB)["metadata"]["uid"] == "second"


def test_a_list_finds_out_what_has_vanished() -> None:
    cache = filled()
    changed = cache.replace("LabelJob", None, [label_job("job", "model")], "5")
    assert changed == {Key("LabelJob", "ns", "stranger")}


def test_a_list_of_one_namespace_says_nothing_of_others() -> None:
    cache = Cache()
    cache.put(resource("LabelJob", "job", namespace="ns"))
    cache.put(resource("LabelJob", "job", namespace="elsewhere"))
    cache.replace("LabelJob", "ns", [], "5")
    assert [key.namespace for key, _ in cache] == ["elsewhere"]


def test_a_list_does_not_remove_what_was_made_after_it() -> None:
    cache = Cache()
    cache.put(resource("LabelJob", "job", 20))
    assert cache.replace("LabelJob", None, [], "19") == set()


def test_dependents_wake_along_references() -> None:
    cache = filled()
    assert cache.woken_by(function_set("set")) == {SET, MODEL, JOB}
    assert cache.woken_by(model("model", "set")) == {MODEL, JOB}
    assert cache.woken_by(label_job("job", "model")) == {JOB}


def voting(name: str, *inputs: str, version: int = 1) -> dict[str, Any]:
    """A model in which others vote."""
    raw = model(name, "set", version)
    return raw | {"spec": raw["spec"] | {"inputs": [{"name": one} for one in inputs]}}


def test_a_model_wakes_those_that_it_votes_in() -> None:
    """P4: and those in which these vote, and their jobs; what is named no more is woken no more."""
    cache = filled()
    over, top = Key("LabelModel", "ns", "over"), Key("LabelModel", "ns", "top")
    for raw in (voting("over", "model", "elsewhere"), voting("top", "over"), label_job("top-job", "top")):
        cache.put(raw)
    assert cache.woken_by(model("model", "set")) == {MODEL, JOB, over, top, Key("LabelJob", "ns", "top-job")}
    assert cache.woken_by(model("elsewhere", "set")) >= {over, top}
    cache.put(voting("over", "elsewhere", version=2))
    assert cache.woken_by(model("model", "set")) == {MODEL, JOB}
    assert over in cache.woken_by(function_set("set"))


def test_models_that_vote_in_each_other_are_woken_once() -> None:
    """P4: a circle, which the planner refuses, ends here."""
    cache = Cache()
    for raw in (voting("a", "b"), voting("b", "a"), voting("c", "c")):
        cache.put(raw)
    a, b, c = (Key("LabelModel", "ns", name) for name in "abc")
    assert cache.woken_by(voting("a", "b")) == {a, b}
    assert cache.woken_by(voting("c", "c")) == {c}


def test_a_changed_reference_moves_the_dependent() -> None:
    cache = filled()
    cache.put(model("model", "other-set", 2))
    assert cache.woken_by(function_set("set")) == {SET}
    assert cache.woken_by(function_set("other-set")) == {Key("LabelingFunctionSet", "ns", "other-set"), MODEL, JOB}


def test_a_job_and_its_pods_wake_their_owner() -> None:
    cache = filled()
    ours = job("run", label_job("job", "model"))
    cache.put(ours)
    cache.put(pod("run-x", ours))
    assert cache.woken_by(ours) == cache.woken_by(pod("run-x", ours)) == {JOB}
    assert [key_of(raw).name for raw in cache.jobs_of("LabelJob-job")] == ["run"]
    assert [key_of(raw).name for raw in cache.pods_of("job-run")] == ["run-x"]


def test_a_pod_wakes_its_owner_before_its_job_is_known() -> None:
    assert Cache().woken_by(pod("run-x", job("run", label_job("job", "model")))) == {JOB}


def test_garbage_in_a_reference_is_no_reference() -> None:
    cache = Cache()
    for number, reference in enumerate((None, "text", 7, [], {"name": 5})):
        cache.put(resource("LabelModel", f"garbage-{number}", functionSetRef=reference))
    assert len(cache.woken_by(function_set("set"))) == 1


async def take_all(queue: WorkQueue[Key]) -> set[Key]:
    """The keys that wait."""
    taken = {await queue.take() for _ in range(queue.depth)}
    for key in taken:
        queue.done(key)
    return taken


async def test_the_event_of_our_own_write_wakes_dependents_only() -> None:
    cache, queue = filled(), WorkQueue[Key]()
    written = function_set("set", 7)
    cache.put(written)
    Feed(cache, queue, lambda step, outcome: None).event("MODIFIED", written)
    assert await take_all(queue) == {MODEL, JOB}


async def test_a_deletion_of_our_own_still_wakes_the_owner() -> None:
    cache, queue = filled(), WorkQueue[Key]()
    gone = job("run", label_job("job", "model"), 3)
    cache.put(gone)
    cache.forget(Key("Job", "ns", "run"), "job-run")
    Feed(cache, queue, lambda step, outcome: None).event("DELETED", gone)
    assert await take_all(queue) == {JOB}


async def test_a_deletion_that_only_a_list_shows_wakes_the_owner() -> None:
    cache, queue = filled(), WorkQueue[Key]()
    cache.put(job("run", label_job("job", "model"), 3))
    Feed(cache, queue, lambda step, outcome: None).listed(WatchedPath(JOBS, None), [], "9")
    assert await take_all(queue) == {JOB}


async def test_a_list_that_repeats_our_own_write_wakes_dependents_only() -> None:
    cache, queue = filled(), WorkQueue[Key]()
    written = model("model", "set", 7)
    cache.put(written)  # the answer to our write; its event was lost with the watch
    Feed(cache, queue, lambda step, outcome: None).listed(WatchedPath(LABEL_MODELS, None), [written], "9")
    assert await take_all(queue) == {JOB}


async def test_items_of_a_list_need_no_kind() -> None:
    cache, queue = Cache(), WorkQueue[Key]()
    item = {field: value for field, value in label_job("job", "model").items() if field not in ("kind", "apiVersion")}
    Feed(cache, queue, lambda step, outcome: None).listed(WatchedPath(LABEL_JOBS, None), [item], "9")
    assert await take_all(queue) == {JOB}


async def test_each_end_of_a_job_is_counted_once() -> None:
    cache, queue, ends = Cache(), WorkQueue[Key](), []
    feed = Feed(cache, queue, lambda step, outcome: ends.append((step, outcome)))
    owner = label_job("job", "model")
    feed.event(None, job("old", owner, 1, finished="Failed"))  # ended before we looked
    for version, finished in ((2, None), (3, "Complete"), (4, "Complete")):
        feed.event("MODIFIED", job("run", owner, version, finished=finished))
    assert ends == [("check", "succeeded")]


def indexed_job(version: int = 1) -> dict[str, Any]:
    return job("run", label_job("job", "model"), version) | {"spec": {"completionMode": "Indexed", "completions": 1000}}


QUIET: list[dict[str, Any]] = [{"phase": "Pending"}, {"phase": "Running"}, {"phase": "Succeeded"}]
LOUD: list[dict[str, Any]] = [
    {"phase": "Failed"},
    {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]},
    {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
]


async def test_a_thousand_pods_that_do_well_wake_nobody() -> None:
    """F7, X8: their Job's status counts them; what keeps one from running is told at once."""
    cache, queue = filled(), WorkQueue[Key]()
    cache.put(indexed_job())
    feed = Feed(cache, queue, lambda step, outcome: None)
    for number in range(1000):
        for version, status in enumerate(QUIET, 2):
            feed.event("MODIFIED", pod(f"run-{number}", indexed_job(), version) | {"status": status})
    assert queue.depth == 0
    for version, status in enumerate(LOUD, 9):
        feed.event("MODIFIED", pod("run-0", indexed_job(), version) | {"status": status})
        assert await take_all(queue) == {JOB}
    feed.event("MODIFIED", indexed_job(2))
    assert await take_all(queue) == {JOB}


def test_the_seconds_of_each_pod_are_counted_once() -> None:
    """X21: of one whose end we have seen coming, be it by its deletion; a restart counts nothing twice."""
    cache, spent = Cache(), []
    feed = Feed(cache, WorkQueue[Key](), lambda step, outcome: None, lambda *told: spent.append(told))
    owner = job("run", label_job("job", "model"))
    start = {"startTime": "2026-03-01T00:00:00Z"}
    over = start | {"containerStatuses": [{"state": {"terminated": {"exitCode": 1, "finishedAt": "2026-03-01T00:00:07Z"}}}]}
    feed.event(None, pod("old", owner) | {"status": over})
    for name, last in (("a", "MODIFIED"), ("b", "DELETED")):
        feed.event("ADDED", pod(name, owner, 2) | {"status": start})
        feed.event(last, pod(name, owner, 3) | {"status": over})
        feed.event("MODIFIED", pod(name, owner, 4) | {"status": over})
    assert spent == [("LabelJob", "ns", "check", 7.0)] * 2
