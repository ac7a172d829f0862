"""`python -m labeljob.reading --request FILE`: one row explained, or a page about a run; see `labeljob.answering`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from deltalake.exceptions import DeltaError

from labeljob.answering import answered, given_request
from labeljob.artifacts import ArtifactHome
from labeljob.build import build_digest
from labeljob.contract.reading import ReadingRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.frozen_models import opened
from labeljob.held_out import not_taught
from labeljob.io.content import pin_broken
from labeljob.io.delta import lacks_files
from labeljob.io.locations import Locations
from labeljob.io.places import Place, open_table
from labeljob.logs import Log
from labeljob.multi_label.artifact import SetsArtifact, is_multi_label
from labeljob.multi_label.artifact import from_files as sets_from_files
from labeljob.multi_label.gold import set_gold_of
from labeljob.resources import available
from labeljob.steps.context import StepContext, gold_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; returns the exit code."""
    return answered(given_request(arguments, "labeljob.reading", ReadingRequest), _read, "reading")


def _read(request: ReadingRequest, locations: Locations) -> dict[str, object]:
    try:
        return _answer(request, StepContext(locations, available(), Log("read", sys.stderr), build_digest()))
    except JobError:
        raise
    except Exception:
        if _is_cleaned_up(locations.path(request.output), request.output_version):
            raise pin_broken(request.output, f"version {request.output_version} of the table, which the run made, was cleaned up") from None
        raise


def _is_cleaned_up(table: Place, version: int) -> bool:
    """Whether files or the log of the version are gone, as after a vacuum."""
    try:
        return lacks_files(table, open_table(table, version))
    except DeltaError:
        return True


def _answer(request: ReadingRequest, context: StepContext) -> dict[str, object]:
    content = ArtifactHome(context.locations.path(request.artifacts), request.artifacts).load(request.model_version, request.model_sha256)
    table = context.locations.existing(request.output)
    if is_multi_label(content):
        return _answer_of_sets(request, sets_from_files(content, request.artifacts), table, context)
    artifact = opened(context.locations, content, request.artifacts)
    if request.question == "explain":
        from labeljob.reading.explain import explain

        return explain(table, artifact, request.row_id or "", request.output, request.output_version)
    given = gold_of(request.gold, request.gold_label_column, request.gold_probability_column, artifact.function_set, context, artifact.key_id)
    gold = not_taught(given, artifact.taught)
    from labeljob.reading.labels import read_labels
    from labeljob.reading.page import page  # plots: an explanation does not wait for what draws them

    labels = read_labels(table, request, artifact, gold)
    return _written(request, page(request, artifact, labels, len(given.classes) - len(gold.classes)))


def _answer_of_sets(request: ReadingRequest, artifact: SetsArtifact, table: Place, context: StepContext) -> dict[str, object]:
    """As `_answer`, of a multi-label set."""
    if request.question == "explain":
        from labeljob.reading.explain_sets import explain_sets

        return explain_sets(table, artifact, request.row_id or "", request.output, request.output_version)
    gold = set_gold_of(request.gold, request.gold_label_column, request.gold_probability_column, artifact.function_set, context.locations, artifact.key_id)
    from labeljob.reading.sets import read_sets
    from labeljob.reading.sets_page import sets_page

    return _written(request, sets_page(request, artifact, read_sets(table, request, artifact, gold)))


def _written(request: ReadingRequest, text: str) -> dict[str, object]:
    target = Path(request.page or "report.html")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(JobReason.OUTPUT_NOT_WRITABLE, f"{target}: {error.strerror}: name another file with --file") from None
    return {"page": str(target)}


if __name__ == "__main__":
    sys.exit(main())
