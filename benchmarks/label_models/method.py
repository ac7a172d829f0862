"""One label model under the signature that all of them are measured by: `fit(votes, classes)` gives a state, `predict(state, votes, classes)`
float64 [n, K].

What turns the matrix into a method's own input is part of its fit; its packages are imported before (`load`).
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeljob.votes import FloatArray, Votes

PLAIN = "NumPy majority vote"
SNORKEL = "Snorkel LabelModel"
SNORKEL_BALANCE = "Snorkel, true balance given"
AUTO = "Labelplane auto"
OURS = "Labelplane"  # how the names of our own begin


@dataclass(frozen=True)
class Method:
    """One label model.

    Attributes:
        fit, predict: see above.
        packages: what is imported before anything is timed.
        most_rows, most_functions: above so many it is left out unless asked for.
        two_classes: it takes only two classes.
        least_functions: it needs that many.
        predicts: it gives probabilities for rows that it was not fitted on.
        evidence: it reads an abstain as evidence.
    """

    name: str
    fit: Callable[[Votes, int], Any]
    predict: Callable[[Any, Votes, int], FloatArray]
    packages: tuple[str, ...] = ()
    most_rows: int = 10_000_000
    most_functions: int = 10_000
    two_classes: bool = False
    least_functions: int = 1
    predicts: bool = True
    evidence: bool = False

    @property
    def is_peer(self) -> bool:
        return bool(self.packages)

    def takes(self, rows: int, functions: int, classes: int, slow: bool = False) -> bool:
        """Whether it is measured on votes of this shape."""
        few = rows <= self.most_rows and functions <= self.most_functions
        return (slow or few) and functions >= self.least_functions and (classes == 2 or not self.two_classes)

    def load(self) -> None:
        for package in self.packages:
            importlib.import_module(package)
        if "torch" in self.packages:
            importlib.import_module("torch").set_num_threads(1)
