"""`python -m labeljob.versions --request FILE`: answers on stdout as JSON. Exit code 1: the answer is an error with a message."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.resources import available
from labeljob.versions.diff import diff
from labeljob.versions.rollback import rollback


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; returns the exit code."""
    parser = argparse.ArgumentParser(prog="labeljob.versions")
    parser.add_argument("--request", type=Path, required=True, help="the VersionsRequest, a JSON file")
    request = VersionsRequest.model_validate_json(parser.parse_args(arguments).request.read_bytes())
    locations = Locations(request.mounts)
    try:
        answer = diff(request, locations, available()) if request.action == "diff" else rollback(request, locations)
        print(json.dumps(answer))
    except JobError as error:
        print(json.dumps({"error": error.message, "reason": error.reason}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
