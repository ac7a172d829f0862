"""The label step: a pinned dataset, a frozen model version, one commit (C5, F3, F6, X9, X16, DESIGN §4).

    pinned data -> contract check -> votes -> spool -> by id -> label -> files -> one commit
                     SchemaBroken     FunctionsFailing                    VolumeFull  Superseded

Only the artifact says which functions vote and what they are worth; the live set is never read. A run in shards does the same in two steps, `shard`
and `commit`.
"""

from labeljob.content_digest import ContentDigest
from labeljob.contract.config import LabelTask
from labeljob.contract.result import LabelResult
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_writer import DeltaWriter
from labeljob.io.preflight import require_conditional_put
from labeljob.io.shard_files import discard_until
from labeljob.io.spool import Spool
from labeljob.schema import check_contract
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import both
from labeljob.steps.label_record import commit_of, result_of, standing
from labeljob.steps.labelling import labelling_of, output_of, settled, vote


def run_label(task: LabelTask, context: StepContext) -> LabelResult:
    """Label and commit once; where this run's transaction stands already, give its record again."""
    started, digest = context.clock(), ContentDigest()
    if (done := standing(task, context)) is not None:
        return result_of(task, done)
    require_conditional_put(context.locations.path(task.output), task.output)
    labelling = labelling_of(task, context)
    source = open_pinned(task.data, context.locations)
    looks, progress = both(labelling.sample.add, labelling.scan.add), context.log.progress("check", None)
    rows = check_contract(source, labelling.declared, context.resources, progress, context.batch_rows, looks, labelling.hasher)
    labelling.scan.peek(source)
    writer = DeltaWriter(context.locations.path(task.output), task.output, task.app_id, task.sequence)
    with Spool(context.resources) as spool:
        vote(labelling, source, rows, spool, context)
        writer.write(settled(labelling, output_of(labelling, spool, context), digest, context.log.progress("write", rows)), labelling.schema)
    commit = commit_of(task, labelling, digest.hexdigest(), started, context)
    result = result_of(task, writer.commit(commit, labelling.columns(), labelling.schema))
    discard_until(context.locations.path(task.output), task.app_id, task.sequence)
    return result
