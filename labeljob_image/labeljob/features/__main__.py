"""`python -m labeljob.features --request FILE`: writes a training set; answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeljob.contract.features import FeaturesRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.credentials import take_ambient
from labeljob.io.locations import Locations
from labeljob.io.places import refusal
from labeljob.logs import frames
from labeljob.resources import available, bound_memory
from labeljob.without_pandas import start_arrow


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="labeljob.features")
    parser.add_argument("--request", type=Path, required=True, help="the FeaturesRequest, a JSON file")
    start_arrow()
    request = FeaturesRequest.model_validate_json(parser.parse_args(arguments).request.read_bytes())
    bound_memory()
    try:
        print(json.dumps(_answer(request, Locations(request.mounts, request.access, take_ambient(os.environ)))))
    except JobError as error:
        print(json.dumps({"error": error.message, "reason": error.reason}))
        return 1
    except Exception as error:  # noqa: BLE001 the one place where anything unexpected ends: its message may quote a row
        print(json.dumps({"error": f"{type(error).__name__} while joining, at {'; '.join(frames(error.__traceback__)[-3:])}", "reason": JobReason.INTERNAL_ERROR}))
        return 1
    return 0


def _answer(request: FeaturesRequest, locations: Locations) -> dict[str, Any]:
    """What was written; what an object store refuses meanwhile is a JobError, too, and never its own text."""
    try:
        return _written(request, locations)
    except JobError:
        raise
    except Exception as error:  # noqa: BLE001 it is raised again
        raise refusal(locations.path(request.output), error) or error from None


def _written(request: FeaturesRequest, locations: Locations) -> dict[str, Any]:
    from labeljob.features import training_set
    from labeljob.features.writing import write_delta, write_parquet

    if request.target is None:
        raise JobError(JobReason.CONFIG_INVALID, "target: is required here: name the file or table to write")
    place = locations.path(request.target)
    with training_set(request, locations, available()) as found:
        answer: dict[str, Any] = {"target": request.target, "format": request.format, "provenance": found.provenance, "schema": found.schema.names}
        if request.format == "delta":
            return answer | {"version": write_delta(found, place, request.target)}
        write_parquet(found, place, request.target)
        return answer


if __name__ == "__main__":
    sys.exit(main())
