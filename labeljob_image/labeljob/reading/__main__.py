"""`python -m labeljob.reading --request FILE`: answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from labeljob.artifacts import ArtifactHome
from labeljob.build import build_digest
from labeljob.contract.reading import ReadingRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.logs import Log
from labeljob.model_artifact import ModelArtifact, from_files
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
        from labeljob.reading.explain import explain

        return explain(table, artifact, request.row_id or "", request.output, request.output_version)
    gold = gold_of(request.gold, request.gold_label_column, request.gold_probability_column, artifact.function_set, context)
    from labeljob.reading.labels import read_labels
    from labeljob.reading.page import page  # plots: an explanation does not wait for what draws them

    labels = read_labels(table, request, artifact, gold)
    target = Path(request.page or "report.html")
    text = page(request, artifact, labels)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(JobReason.OUTPUT_NOT_WRITABLE, f"{target}: {error.strerror}: name another file with --file") from None
    return {"page": str(target)}


def _artifact(request: ReadingRequest, context: StepContext) -> ModelArtifact:
    home = ArtifactHome(context.locations.path(request.artifacts), request.artifacts)
    return from_files(home.load(request.model_version, request.model_sha256), request.artifacts)


if __name__ == "__main__":
    sys.exit(main())
