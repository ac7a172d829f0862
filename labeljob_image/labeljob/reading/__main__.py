"""`python -m labeljob.reading --request FILE`: answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from labeljob.artifacts import ArtifactHome
from labeljob.build import build_digest
from labeljob.contract.reading import ReadingRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.frozen_models import opened
from labeljob.held_out import not_taught
from labeljob.io.credentials import take_ambient
from labeljob.io.locations import Locations
from labeljob.io.places import Place, refusal
from labeljob.logs import Log, frames
from labeljob.multi_label.artifact import SetsArtifact, is_multi_label
from labeljob.multi_label.artifact import from_files as sets_from_files
from labeljob.multi_label.gold import set_gold_of
from labeljob.resources import available
from labeljob.steps.context import StepContext, gold_of
from labeljob.without_pandas import start_arrow


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; returns the exit code."""
    parser = argparse.ArgumentParser(prog="labeljob.reading")
    parser.add_argument("--request", type=Path, required=True, help="the ReadingRequest, a JSON file")
    start_arrow()
    request = ReadingRequest.model_validate_json(parser.parse_args(arguments).request.read_bytes())
    locations = Locations(request.mounts, request.access, take_ambient(os.environ))
    context = StepContext(locations, available(), Log("read", sys.stderr), build_digest())
    try:
        print(json.dumps(_refused(request, context)))
    except JobError as error:
        print(json.dumps({"error": error.message, "reason": error.reason}))
        return 1
    except Exception as error:  # noqa: BLE001 the one place where anything unexpected ends: its message may quote a row
        print(json.dumps({"error": f"{type(error).__name__} while reading, at {'; '.join(frames(error.__traceback__)[-3:])}", "reason": JobReason.INTERNAL_ERROR}))
        return 1
    return 0


def _refused(request: ReadingRequest, context: StepContext) -> dict[str, object]:
    """The answer; what an object store refuses meanwhile is a JobError, too, and never its own text."""
    try:
        return _answer(request, context)
    except JobError:
        raise
    except Exception as error:  # noqa: BLE001 it is raised again
        raise refusal(context.locations.path(request.output), error) or error from None


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
