"""`python -m labeljob.versions --request FILE`: what changed between two versions of an output, or one restored; see `labeljob.answering`."""

import sys
from collections.abc import Sequence
from typing import Any

from labeljob.answering import answered, given_request
from labeljob.contract.versions import VersionsRequest
from labeljob.io.locations import Locations
from labeljob.resources import available
from labeljob.versions.diff import diff
from labeljob.versions.rollback import rollback


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; returns the exit code."""
    return answered(given_request(arguments, "labeljob.versions", VersionsRequest), _answer, "comparing or restoring versions")


def _answer(request: VersionsRequest, locations: Locations) -> dict[str, Any]:
    return diff(request, locations, available()) if request.action == "diff" else rollback(request, locations)


if __name__ == "__main__":
    sys.exit(main())
