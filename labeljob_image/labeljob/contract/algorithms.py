"""The names of the label models: what may be asked for, and what a fit may turn out to be. docs/label-models.md says what each learns."""

from typing import Literal, TypeAlias

NamedAlgorithm: TypeAlias = Literal[
    "majority-vote",
    "weighted-vote",
    "generative",
    "triplet",
    "one-coin",
    "dawid-skene",
    "hierarchical-dawid-skene",
    "ebcc",
    "mace",
    "glad",
]
AlgorithmChoice: TypeAlias = Literal["auto", NamedAlgorithm]
FittedAlgorithm: TypeAlias = Literal[NamedAlgorithm, "discounted-dawid-skene", "committee"]  # the second for the classes of a multi-label set alone
