"""`python -m labeljob.versions --request FILE`: answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.credentials import take_ambient
from labeljob.io.locations import Locations
from labeljob.io.places import refusal
from labeljob.resources import available
from labeljob.versions.diff import diff
from labeljob.versions.rollback import rollback


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; returns the exit code."""
    parser = argparse.ArgumentParser(prog="labeljob.versions")
    parser.add_argument("--request", type=Path, required=True, help="the VersionsRequest, a JSON file")
    request = VersionsRequest.model_validate_json(parser.parse_args(arguments).request.read_bytes())
    locations = Locations(request.mounts, request.access, take_ambient(os.environ))
    try:
        print(json.dumps(_answer(request, locations)))
    except JobError as error:
        print(json.dumps({"error": error.message, "reason": error.reason}))
        return 1
    return 0


def _answer(request: VersionsRequest, locations: Locations) -> dict[str, Any]:
    """What an object store refuses meanwhile is a JobError, too, and never its own text."""
    try:
        return diff(request, locations, available()) if request.action == "diff" else rollback(request, locations)
    except JobError:
        raise
    except Exception as error:  # noqa: BLE001 it is raised again
        raise refusal(locations.path(request.output), error) or error from None


if __name__ == "__main__":
    sys.exit(main())
