"""`python -m labeljob.reading --request FILE`: answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from labeljob.build import build_digest
from labeljob.contract.reading import ReadingRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.frozen_models import load_model
from labeljob.held_out import not_taught
from labeljob.io.locations import Locations
from labeljob.logs import Log
from labeljob.model_artifact import ModelArtifact
from labeljob.reading.explain import explain
from labeljob.reading.labels import read_labels
from labeljob.reading.page import page
from labeljob.resources import available
from labeljob.steps.context import StepContext, gold_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; returns the exit code."""
    parser = argparse.ArgumentParser(prog="labeljob.reading")
    parser.add_argument("--request", type=Path, required=True, help="the ReadingRequest, a JSON file")
    request = ReadingRequest.model_validate_json(parser.parse_args(arguments).request.read_bytes())
    context = StepContext(Locations(request.mounts), available(), Log("read", sys.stderr), build_digest())
    try:
        print(json.dumps(_answer(request, context)))
    except JobError as error:
        print(json.dumps({"error": error.message, "reason": error.reason}))
        return 1
    return 0


def _answer(request: ReadingRequest, context: StepContext) -> dict[str, object]:
    artifact = _artifact(request, context)
    table = context.locations.existing(request.output)
    if request.question == "explain":
        return explain(table, artifact, request.row_id or "", request.output, request.output_version)
    given = gold_of(request.gold, request.gold_label_column, request.gold_probability_column, artifact.function_set, context)
    gold = not_taught(given, artifact.taught)
    labels = read_labels(table, request, artifact, gold)
    target = Path(request.page or "report.html")
    text = page(request, artifact, labels, len(given.classes) - len(gold.classes))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(JobReason.OUTPUT_NOT_WRITABLE, f"{target}: {error.strerror}: name another file with --file") from None
    return {"page": str(target)}


def _artifact(request: ReadingRequest, context: StepContext) -> ModelArtifact:
    return load_model(context.locations, request.artifacts, request.model_version, request.model_sha256)


if __name__ == "__main__":
    sys.exit(main())
