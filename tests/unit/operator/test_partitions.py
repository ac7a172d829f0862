"""spec.output.partitionBy in the operator: what the job is told, and which run it is (I3)."""

from labeljob.contract.config import LabelTask
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import World, settle


async def task_of(**output: str) -> LabelTask:
    """Of the run of a LabelJob whose output has these fields, too."""
    job = label_job()
    world = World()
    world.apply(function_set(), label_model(), changed(job, "spec.output", job["spec"]["output"] | output))
    await settle(world)
    return next(action.intent.config.label for _, action, _ in world.jobs.values() if action.intent.config.label)


async def test_how_files_are_kept_apart_is_part_of_the_run() -> None:
    """Guarantee 1: it changes the output; where it is left out the digest is what it was before there was such a field."""
    plain, by_label, by_covered = await task_of(), await task_of(partitionBy="label"), await task_of(partitionBy="covered")
    assert (plain.partition_by, by_label.partition_by, by_covered.partition_by) == (None, "label", "covered")
    assert len({plain.run_digest, by_label.run_digest, by_covered.run_digest}) == 3
    assert (await task_of()).run_digest == plain.run_digest
