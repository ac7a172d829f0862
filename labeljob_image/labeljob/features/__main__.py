"""`python -m labeljob.features --request FILE`: writes a training set; see `labeljob.answering`."""

import sys
from collections.abc import Sequence
from typing import Any

from labeljob.answering import answered, given_request
from labeljob.contract.features import FeaturesRequest
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.resources import available, bound_memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is asked for; returns the exit code."""
    return answered(given_request(arguments, "labeljob.features", FeaturesRequest), _answer, "joining a training set")


def _answer(request: FeaturesRequest, locations: Locations) -> dict[str, Any]:
    from labeljob.features import training_set
    from labeljob.features.writing import write_delta, write_parquet

    if request.target is None:
        raise JobError(JobReason.CONFIG_INVALID, "target: is required here: name the file or table to write")
    bound_memory()
    place = locations.path(request.target)
    with training_set(request, locations, available()) as found:
        answer: dict[str, Any] = {"target": request.target, "format": request.format, "provenance": found.provenance, "schema": found.schema.names}
        if request.format == "delta":
            return answer | {"version": write_delta(found, place, request.target)}
        write_parquet(found, place, request.target)
        return answer


if __name__ == "__main__":
    sys.exit(main())
