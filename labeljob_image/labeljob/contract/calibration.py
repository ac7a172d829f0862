"""What may be asked of calibration, and what a version says of its own."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from labeljob.contract.base import Wire

CalibrationMethod: TypeAlias = Literal["none", "temperature", "sigmoid", "isotonic"]
RecordedMethod: TypeAlias = Literal["none", "temperature", "sigmoid", "isotonic", "by-class"]  # of a multi-label set it may differ from class to class
CalibrationChoice: TypeAlias = Literal["auto", "none", "temperature", "sigmoid", "isotonic"]


class Interval(Wire):
    """A 95 % confidence interval."""

    low: float
    high: float


class CalibrationRecord(Wire):
    """How the probabilities of a version were calibrated."""

    method: Annotated[RecordedMethod, Field(description="What is done to the probabilities of covered rows.")]
    gold_rows: Annotated[int, Field(description="Covered gold rows that it was tuned on; 0 without gold.")]
    why: str
