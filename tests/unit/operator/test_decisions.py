"""Every decision of the operator, run to rest in a cluster in memory; each status passes the shared checker as it is written."""

import random
from typing import Any

import pytest

from labeljob.contract.reasons import JobReason
from labeljob.contract.result import DependentPair
from tests.manifests import REMOVE, changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, condition, once, settle


@pytest.fixture
def world() -> World:
    """Three good manifests, applied."""
    made = World()
    made.apply(function_set(), label_model(), label_job())
    return made


def run_of(world: World) -> dict[str, Any]:
    return world.get("LabelJob")["status"]["run"]


async def until_labeling(world: World) -> None:
    """Go on until the label Job runs."""
    while not any(entry[2].step == "label" for entry in world.jobs.values()):
        await once(world)
        for step in ("check", "resolve", "fit"):
            world.finish(step)


async def test_three_manifests_come_to_rest(world: World) -> None:
    """P1: one version of the model, one commit, all Ready, with pins."""
    await settle(world)
    assert all(condition(resource)["status"] == "True" for resource in world.resources.values())
    assert (len(world.index), len(world.commits)) == (1, 1)
    assert run_of(world)["input"]["digest"] == "data-0"
    assert run_of(world)["image"] == "build:b1"


async def test_at_rest_nothing_is_written(world: World) -> None:
    await settle(world)
    writes = world.writes
    assert not await once(world)
    assert world.writes == writes


async def test_pins_are_in_status_before_the_job_exists(world: World) -> None:
    """G1: whatever runs was pinned and written down before."""
    for _ in range(60):
        await once(world)
        labeling = [entry for entry in world.jobs.values() if entry[2].step == "label"]
        if labeling:
            pins = world.get("LabelJob")["status"]["pins"]
            assert labeling[0][1].intent.config.label.run_digest == pins["runDigest"]
            return
        world.finish()
    raise AssertionError("no label Job was made")


async def test_a_b_a_gives_three_commits(world: World) -> None:
    """X16: each change of pins is a run; equal pins give equal content."""
    for version in (0, 1, 0):
        world.apply(changed(label_job(), "spec.input.version", version))
        await settle(world)
    assert [commit.sequence for commit in world.commits] == [1, 2, 3]
    assert world.commits[0].content_digest == world.commits[2].content_digest != world.commits[1].content_digest


async def test_lost_status_is_rebuilt_without_a_run(world: World) -> None:
    """Status is only a view."""
    await settle(world)
    before = run_of(world)
    for resource in world.resources.values():
        resource["status"] = {"observedGeneration": -1}
    world.jobs.clear()
    await settle(world)
    assert run_of(world)["output"] == before["output"]
    assert (len(world.index), len(world.commits)) == (1, 1)


async def test_reconcile_at_resolves_latest_again(world: World) -> None:
    """`latest` is resolved when asked, never by polling."""
    await settle(world)
    world.data_version = 1
    await settle(world)
    assert len(world.commits) == 1
    world.annotate("LabelJob", reconcile_at="now")
    await settle(world)
    assert run_of(world)["input"]["digest"] == "data-1"
    assert world.get("LabelJob")["status"]["lastHandledReconcileAt"] == "now"


async def test_request_without_change_starts_no_run(world: World) -> None:
    await settle(world)
    world.annotate("LabelJob", reconcile_at="again")
    world.annotate("LabelModel", reconcile_at="again")
    await settle(world)
    assert (len(world.index), len(world.commits)) == (1, 1)


async def test_running_job_finishes_on_its_pins_then_one_run_follows(world: World) -> None:
    """A refit meanwhile does not touch the run under way."""
    await until_labeling(world)
    world.apply(label_model() | {"spec": label_model()["spec"] | {"algorithm": "majority-vote"}})
    for _ in range(20):
        await once(world)
        for step in ("check", "resolve", "fit"):
            world.finish(step)
    assert len(world.index) == 2
    assert any(entry[2].step == "label" and not entry[2].finished for entry in world.jobs.values())
    await settle(world)
    assert [commit.model_version for commit in world.commits] == [1, 2]


async def test_keep_stays_with_the_model_it_has(world: World) -> None:
    world.apply(changed(label_job(), "spec.onModelChange", "keep"))
    await settle(world)
    world.apply(changed(label_model(), "spec.algorithm", "majority-vote"))
    await settle(world)
    assert (len(world.index), len(world.commits)) == (2, 1)


async def test_pin_serves_an_earlier_version_and_fits_none(world: World) -> None:
    """O5, C6: one field rolls back; the job relabels with it."""
    await settle(world)
    world.apply(changed(label_model(), "spec.algorithm", "majority-vote"))
    await settle(world)
    world.apply(changed(changed(label_model(), "spec.algorithm", "majority-vote"), "spec.pin", 1))
    await settle(world)
    assert world.get("LabelModel")["status"]["current"]["version"] == 1
    assert run_of(world)["model"]["version"] == 1
    assert len(world.index) == 2


async def test_functions_that_repeat_one_another_are_named(world: World) -> None:
    """F2: a condition and an Event name the near-copies; the model serves all the same, and what is mild is only in status."""
    world.dependent = [DependentPair(functions=["a", "b"], correlation=0.93), DependentPair(functions=["a", "c"], correlation=0.4)]
    await settle(world)
    model = world.get("LabelModel")
    found = condition(model, "FunctionsDependent")
    assert found["status"] == "True"
    assert "a and b (0.93)" in found["message"]
    assert "a and c" not in found["message"]
    assert condition(model)["status"] == "True"
    assert [pair["functions"] for pair in model["status"]["current"]["dependent"]] == [["a", "b"], ["a", "c"]]
    assert any(kind == "LabelModel" and event.type == "Warning" and "a and b" in event.message for kind, event in world.events)
    world.dependent = []
    world.apply(changed(label_model(), "spec.algorithm", "majority-vote"))
    await settle(world)
    assert not any(one["type"] == "FunctionsDependent" for one in world.get("LabelModel")["status"]["conditions"])


async def test_what_a_fit_says_of_its_votes_reaches_people(world: World) -> None:
    """F8, X19: votes that look wrong, and a voter that decides most labels, are conditions with an Event, which outlast a refit; that nothing beats
    majority vote is said by Ready."""
    told = "99.7% of the covered rows get the label of majority vote: these votes support nothing better"
    alone = "teacher alone decides 72% of the labels: without it these rows would have another, or none"
    world.notes = [
        "VotesAdversarial: 45% of the votes come from functions that look worse than chance", f"NoGainOverMajorityVote: {told}", f"FunctionDominant: {alone}",
    ]  # fmt: skip
    await settle(world)
    model = world.get("LabelModel")
    assert condition(model, "VotesAdversarial")["message"].startswith("45% of the votes come from functions that look worse than chance: add goldData")
    assert condition(model, "FunctionDominant")["message"].startswith(f"{alone}: add functions that vote where it does, or goldData")
    assert [event.type for kind, event in world.events if kind == "LabelModel" and event.reason == "FunctionDominant"] == ["Warning"]
    assert condition(model)["message"] == f"version 1 (majority-vote) serves; {told}"
    assert model["status"]["current"]["notes"] == world.notes
    warned = [event for kind, event in world.events if kind == "LabelModel" and event.reason == "VotesAdversarial"]
    assert [event.type for event in warned] == ["Warning"]
    world.data_version = 1
    world.annotate("LabelModel", reconcile_at="now")
    await once(world)
    assert condition(world.get("LabelModel"), "Running")
    assert condition(world.get("LabelModel"), "VotesAdversarial")
    assert condition(world.get("LabelModel"), "FunctionDominant")
    await settle(world)
    assert world.get("LabelModel")["status"]["current"]["version"] == 2
    assert len([event for kind, event in world.events if event.reason == "VotesAdversarial"]) == 1
    world.notes, world.data_version = [], 2
    world.annotate("LabelModel", reconcile_at="again")
    await settle(world)
    assert not condition(world.get("LabelModel"), "VotesAdversarial")
    assert not condition(world.get("LabelModel"), "FunctionDominant")
    assert condition(world.get("LabelModel"))["message"] == "version 3 (majority-vote) serves"


async def test_pin_of_an_unknown_version_stalls(world: World) -> None:
    world.apply(changed(label_model(), "spec.pin", 9))
    await settle(world)
    assert condition(world.get("LabelModel"))["reason"] == "ModelVersionNotFound"
    assert condition(world.get("LabelJob"))["reason"] == "ModelNotReady"


async def test_suspended_refit_serves_what_there_is(world: World) -> None:
    """O5: pause retraining."""
    await settle(world)
    world.apply(changed(changed(label_model(), "spec.algorithm", "majority-vote"), "spec.refit.suspend", True))
    await settle(world)
    assert condition(world.get("LabelModel"), "Suspended")["status"] == "True"
    assert len(world.index) == 1


async def test_suspended_job_makes_nothing_and_resumes(world: World) -> None:
    """O5: suspended from the start."""
    world.apply(changed(label_job(), "spec.suspend", True))
    await settle(world)
    assert world.commits == []
    assert condition(world.get("LabelJob"), "Suspended")["status"] == "True"
    world.apply(label_job())
    await settle(world)
    assert len(world.commits) == 1


async def test_suspending_keeps_ready_as_it_was(world: World) -> None:
    await settle(world)
    world.apply(changed(label_job(), "spec.suspend", True))
    await settle(world)
    assert condition(world.get("LabelJob"))["status"] == "True"


async def test_disabled_resource_is_left_alone(world: World) -> None:
    """Break-glass."""
    world.annotate("LabelJob", reconcile="disabled")
    await settle(world)
    assert world.get("LabelJob")["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(("reason", "domain"), [(JobReason.SCHEMA_BROKEN, "SchemaBroken"), (JobReason.FUNCTIONS_FAILING, "FunctionsFailing"), (JobReason.PIN_BROKEN, "PinBroken")])
async def test_data_failure_stalls_with_its_condition(world: World, reason: JobReason, domain: str) -> None:
    """F3, X9: Ready=False and Stalled at once, the domain condition, one Event; what stood goes on standing."""
    await settle(world)
    world.failing["label"] = reason
    world.data_version = 1
    world.annotate("LabelJob", reconcile_at="1")
    await settle(world)
    job = world.get("LabelJob")
    assert (condition(job)["status"], condition(job, "Stalled")["status"], condition(job, domain)["status"]) == ("False", "True", "True")
    assert run_of(world)["sequence"] == 1
    assert [event.reason for kind, event in world.events if kind == "LabelJob"].count(reason) == 1
    world.failing.clear()
    world.annotate("LabelJob", reconcile_at="2")
    await settle(world)
    assert condition(world.get("LabelJob"))["status"] == "True"
    assert condition(world.get("LabelJob"), domain) == {}


async def test_failed_check_holds_back_the_model(world: World) -> None:
    """O7: a set whose tests fail is not accepted."""
    world.failing["check"] = JobReason.FUNCTION_TESTS_FAILED
    await settle(world)
    assert condition(world.get("LabelingFunctionSet"), "Stalled")["reason"] == "FunctionTestsFailed"
    assert condition(world.get("LabelModel"))["reason"] == "FunctionSetNotReady"


async def test_unparsable_resource_stalls_alone(world: World) -> None:
    """O9: what the CRD lets through and we cannot read."""
    broken = changed(label_model(), "spec.parameters.classBalance", "automatic")
    broken["metadata"]["name"] = "broken"
    world.apply(broken)
    await settle(world)
    stalled = [resource for resource in world.resources.values() if condition(resource, "Stalled")]
    assert [resource["metadata"]["name"] for resource in stalled] == ["broken"]
    assert "spec.parameters.classBalance" in condition(stalled[0])["message"]


async def test_deleted_job_is_made_again_and_said(world: World) -> None:
    await until_labeling(world)
    for name in [name for name, entry in world.jobs.items() if entry[2].step == "label"]:
        del world.jobs[name]
    await settle(world)
    assert len(world.commits) == 1
    assert "JobDeleted" in [event.reason for _, event in world.events]


async def test_finished_jobs_go_after_their_lifetime(world: World) -> None:
    """A Job goes only once status holds its result."""
    world.apply(changed(label_job(), "spec.runTTL", "10m"))
    await settle(world)
    world.pass_time(599)
    await settle(world)
    assert any(entry[2].step == "label" for entry in world.jobs.values())
    world.pass_time(2)
    await settle(world)
    assert not any(entry[2].step == "label" for entry in world.jobs.values())
    assert len(world.commits) == 1


async def test_changed_owner_or_description_runs_nothing(world: World) -> None:
    """X16: words about a function are not part of its identity."""
    await settle(world)
    world.apply(changed(function_set(), "spec.functions[0].owner", "somebody else"))
    await settle(world)
    assert (len(world.index), len(world.commits)) == (1, 1)


@pytest.mark.parametrize("seed", range(30))
async def test_any_history_converges(seed: int) -> None:
    """Random edits, lost status, deleted jobs and time: the end is what the last manifests ask for, and nothing ran twice."""
    choice = random.Random(seed)
    world = World()
    world.apply(function_set(), label_model(), label_job())
    for step in range(25):
        move = choice.randrange(7)
        if move == 0:
            world.apply(changed(label_job(), "spec.input.version", choice.randrange(3)))
        elif move == 1:
            world.apply(changed(label_model(), "spec.algorithm", choice.choice(["auto", "majority-vote"])))
        elif move == 2:
            world.apply(changed(function_set(), "spec.functions[2].threshold.above", choice.randrange(1, 4)))
        elif move == 3:
            choice.choice(list(world.resources.values()))["status"] = {"observedGeneration": -1}
        elif move == 4 and world.jobs:
            del world.jobs[choice.choice(list(world.jobs))]
        elif move == 5:
            world.annotate(choice.choice(["LabelJob", "LabelModel"]), reconcile_at=str(step))
        else:
            world.pass_time(choice.random() * 3600)
        await once(world)
        if choice.random() < 0.5:
            world.finish()
    await settle(world)
    assert all(condition(resource)["status"] == "True" for resource in world.resources.values())
    assert run_of(world)["model"]["version"] == world.get("LabelModel")["status"]["current"]["version"]
    wanted = world.get("LabelJob")["spec"]["input"]["version"]
    assert run_of(world)["input"]["digest"] == f"data-{0 if wanted == 'latest' else wanted}"
    assert all(one.run_digest != two.run_digest for one, two in zip(world.commits, world.commits[1:], strict=False))
    assert [commit.sequence for commit in world.commits] == sorted({commit.sequence for commit in world.commits})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.calibration", "isotonic"),
        ("spec.calibration", "none"),
        ("spec.goldData.inclusionProbabilityColumn", "drawn_with"),
        ("spec.goldData.labelColumn", "truth"),
        ("spec.goldData", REMOVE),
    ],
)
async def test_what_changes_calibration_is_another_fit(world: World, path: str, value: Any) -> None:
    """X16: the fit digest has every field that changes the output; the new version labels again."""
    await settle(world)
    first = world.index[0].fit_digest
    world.apply(changed(label_model(), path, value))
    await settle(world)
    assert [one.version for one in world.index] == [1, 2]
    assert world.index[1].fit_digest != first
    assert run_of(world)["model"]["version"] == 2


async def test_calibration_auto_is_what_is_left_out(world: World) -> None:
    """Writing the default down is no other fit."""
    await settle(world)
    world.apply(changed(label_model(), "spec.calibration", REMOVE))
    await settle(world)
    assert len(world.index) == 1


async def test_a_fit_starts_from_the_version_that_is_named(world: World) -> None:
    """C3, X16: the start's own digest is in the fit's, so that the same digest is the same answer; without a start nothing has changed."""
    await settle(world)
    first = world.index[0]
    world.apply(changed(label_model(), "spec.parameters.startFrom", 1))
    await settle(world)
    tasks = [entry[1].intent.config.fit for entry in world.jobs.values() if entry[2].step == "fit"]
    assert [(task.start.version, task.start.fit_digest) if task.start else None for task in tasks] == [None, (1, first.fit_digest)]
    current = world.get("LabelModel")["status"]["current"]
    assert current["start"] == {"version": 1, "fitDigest": first.fit_digest}
    assert current["digest"] != first.fit_digest
    world.annotate("LabelModel", reconcile_at="now")
    await settle(world)
    assert len(world.index) == 2
    world.apply(label_model())
    await settle(world)
    assert len(world.index) == 2
    assert world.get("LabelModel")["status"]["current"]["version"] == 1


async def test_a_start_that_is_not_there_stalls(world: World) -> None:
    world.apply(changed(label_model(), "spec.parameters.startFrom", 4))
    await settle(world)
    found = condition(world.get("LabelModel"))
    assert found["reason"] == "ModelVersionNotFound"
    assert "spec.parameters.startFrom: there is no version 4 (there are: none)" in found["message"]


async def test_other_gold_is_another_fit(world: World) -> None:
    """M8: gold tunes the calibrator, so its content is in the fit digest, and in a run's digest."""
    await settle(world)
    world.gold_version = 1
    world.annotate("LabelModel", reconcile_at="now")
    await settle(world)
    assert len(world.index) == 2
    assert world.get("LabelModel")["status"]["pins"]["goldData"]["digest"] == "gold-1"


async def test_the_fit_job_is_told_and_status_says_what_came(world: World) -> None:
    """M8, X11: method, gold rows, why, and intervals are in status.current."""
    world.apply(changed(changed(label_model(), "spec.calibration", "temperature"), "spec.goldData.inclusionProbabilityColumn", "drawn_with"))
    await settle(world)
    task = next(entry[1].intent.config.fit for entry in world.jobs.values() if entry[2].step == "fit")
    assert (task.calibration, task.gold_probability_column, task.gold_label_column) == ("temperature", "drawn_with", "gold")
    current = world.get("LabelModel")["status"]["current"]
    assert current["calibration"] == {"method": "temperature", "goldRows": 80, "why": "temperature was asked for"}
    assert current["intervals"] == {"brier": {"low": 0.1, "high": 0.15}}
    assert current["metrics"]["brier"] == 0.1235


async def test_inclusion_probabilities_of_a_job_are_in_its_digest(world: World) -> None:
    world.apply(changed(label_job(), "spec.goldData", {"uri": "configmap://gold/gold.csv", "format": "csv", "labelColumn": "gold"}))
    await settle(world)
    first = run_of(world)["digest"]
    world.apply(
        changed(label_job(), "spec.goldData", {"uri": "configmap://gold/gold.csv", "format": "csv", "labelColumn": "gold", "inclusionProbabilityColumn": "p"})
    )
    await settle(world)
    assert run_of(world)["digest"] != first
    task = next(entry[1].intent.config.label for entry in world.jobs.values() if entry[2].step == "label" and entry[1].intent.config.label.run_digest != first)
    assert task.gold_probability_column == "p"
