"""How far a run is from the data that its model was fitted on (F4)."""

from typing import Literal

from labeljob.contract.base import Wire

DRIFT_LIMIT = 8  # shifts that a run reports, the largest of each kind first
DriftKind = Literal["column", "function", "label", "confidence"]


class Shift(Wire):
    """One difference that is no chance. Size: of a column and of confidence the population stability index, of a function and of a label a share of rows."""

    kind: DriftKind
    name: str = ""  # column, function or class; empty for confidence
    size: float
