"""Go durations (`168h`, `1h30m`, `500ms`)."""

import re
from typing import Annotated

from pydantic import Field

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"
Duration = Annotated[str, Field(max_length=32, pattern=DURATION_PATTERN)]
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")


def seconds(duration: str) -> float:
    """Seconds of a duration that fits DURATION_PATTERN."""
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(duration))
