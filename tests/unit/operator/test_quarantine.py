"""schemaPolicy in the operator: what the job is told, what makes a run anew, and what is said of rows that were set apart (F3)."""

from labeljob.contract.quarantine import BreachCount, Quarantine
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, condition, settle

APART = Quarantine(rows=3, of_rows=1000, uri="pvc://lake/labels/_quarantine/00000002-a", breaches=[BreachCount(column="restarts", what="values below minimum 0", count=3)])
LENIENT = changed(label_job(), "spec.schemaPolicy", "quarantine")


def told(world: World) -> list[str]:
    return [event.message for of, event in world.events if of == "LabelJob" and event.reason == "RowsQuarantined"]


async def test_rows_that_are_set_apart_are_named() -> None:
    """F3: the policy and its limit are part of the run; a condition, and an Event for each run that sets other rows apart, until none are."""
    world = World()
    world.apply(function_set(), label_model(), label_job())
    await settle(world)
    strict = [action.intent.config.label for _, action, _ in world.jobs.values() if action.intent.config.label]
    assert [one.quarantine for one in strict] == [None]
    world.quarantine = APART
    world.apply(LENIENT)
    await settle(world)
    lenient = [action.intent.config.label for _, action, _ in world.jobs.values() if action.intent.config.label]
    assert sorted(one.quarantine for one in lenient if one.quarantine is not None) == [0.01]
    assert len(world.commits) == 2
    job = world.get("LabelJob")
    assert condition(job)["status"] == "True"
    assert condition(job, "RowsQuarantined")["message"].startswith("3 of 1000 rows break the contract and have no label: column restarts: 3 values below minimum 0: they are in pvc://lake/")
    assert job["status"]["run"]["quarantine"]["rows"] == 3
    assert len(told(world)) == 1
    world.quarantine = APART.model_copy(update={"rows": 4})
    world.apply(changed(LENIENT, "spec.quarantine", {"maxShare": 0.1}))
    await settle(world)
    assert [one[:9] for one in told(world)] == ["3 of 1000", "4 of 1000"]
    world.quarantine = None
    world.apply(label_job())
    await settle(world)
    assert "RowsQuarantined" not in [one["type"] for one in world.get("LabelJob")["status"]["conditions"]]
    assert world.commits[-1].run_digest == world.commits[0].run_digest
