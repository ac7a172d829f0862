"""Labeling functions as a user declares them: exactly one kind each."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.columns import ColumnName
from labeljob.contract.datasets import LookupTable

CLASS_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
FUNCTION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
KINDS = ("keywords", "regex", "threshold", "sql", "lookup", "votes", "python")
NAMES_CLASSES = ("lookup", "votes", "python")  # their votes name classes row by row
ENTRYPOINT_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
DEFAULT_TIMEOUT = 60  # seconds

ClassName = Annotated[str, Field(max_length=63, pattern=CLASS_PATTERN, description="One of spec.classes.")]
FunctionName = Annotated[str, Field(max_length=63, pattern=FUNCTION_PATTERN, description="Name of the labeling function, unique in the set.")]


class Keywords(Wire):
    """Votes where the text holds one of the literal words; case-insensitive, NFC."""

    column: ColumnName
    any: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]],
        Field(min_length=1, max_length=500, description="The words; one is enough."),
    ]
    match: Annotated[
        Literal["word", "substring"] | None,
        Field(description="word: bounded by anything that is not a Unicode letter, digit or underscore; substring: anywhere. When left out: word."),
    ] = None


class Regex(Wire):
    """Votes where an RE2 search finds the pattern; case-sensitive."""

    column: ColumnName
    pattern: Annotated[
        str, Field(min_length=1, max_length=4096, description="RE2 syntax; a pattern that matches the empty string is refused.")
    ]


class Threshold(Wire):
    """Votes where the number lies within the bounds; two bounds mean AND, NaN and null abstain."""

    column: ColumnName
    above: Annotated[float | None, Field(description="Greater than (strict).")] = None
    at_least: Annotated[float | None, Field(description="Greater than or equal to.")] = None
    below: Annotated[float | None, Field(description="Less than (strict).")] = None
    at_most: Annotated[float | None, Field(description="Less than or equal to.")] = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Threshold":
        lower, upper = (self.above, self.at_least), (self.below, self.at_most)
        if all(bound is None for bound in lower + upper):
            raise ValueError("needs a bound: set above, atLeast, below or atMost")
        if None not in lower or None not in upper:
            raise ValueError("has two bounds on one side: keep one of above/atLeast and one of below/atMost")
        return self


class Lookup(Wire):
    """Votes the class that the table gives for the row's key; a missing key abstains."""

    column: ColumnName
    table: LookupTable
    key_column: ColumnName
    label_column: ColumnName


class VoteColumn(Wire):
    """Takes the vote from a column (a crowd worker's answer, a teacher's score, an older rule), or a teacher's probabilities as they are."""

    column: Annotated[ColumnName | None, Field(description="Where the answer or score stands; needed with map, above and below.")] = None
    map: Annotated[
        dict[str, ClassName] | None,
        Field(max_length=500, description="Raw value to class. A value that is not in the map is an error; null abstains."),
    ] = None
    above: Annotated[
        dict[str, float] | None, Field(max_length=127, description="Class to bound: votes for the class where the value is greater.")
    ] = None
    below: Annotated[
        dict[str, float] | None, Field(max_length=127, description="Class to bound: votes for the class where the value is less.")
    ] = None

    probabilities: Annotated[
        dict[str, ColumnName] | None,
        Field(
            min_length=1,
            max_length=127,
            description="Class to the float64 column of its probability: a soft vote. One class may be left out and gets the rest.",
        ),
    ] = None

    @model_validator(mode="after")
    def _has_one_reading(self) -> "VoteColumn":
        bounds = self.above is not None or self.below is not None
        if [bounds, self.map is not None, self.probabilities is not None].count(True) != 1:
            raise ValueError("needs either map, or above and/or below, or probabilities")
        if (self.column is None) != (self.probabilities is not None):
            raise ValueError("column goes with map, above and below, and not with probabilities: add or remove it")
        return self


class PythonFunction(Wire):
    """Calls `f(batch: pyarrow.RecordBatch) -> pyarrow.Array` of class names and nulls; it must look at each row by itself."""

    entrypoint: Annotated[
        str,
        Field(max_length=253, pattern=ENTRYPOINT_PATTERN, description="module:function, such as acme_lfs:slow_rollout; the module comes with the job's image."),
    ]
    columns: Annotated[
        list[ColumnName],
        Field(
            min_length=1,
            max_length=100,
            description="The columns of the batch, in this order; the function sees no other.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    timeout_seconds: Annotated[
        int | None, Field(ge=1, le=3600, description="Longest time for one call, which has at most 8,192 rows. When left out: 60.")
    ] = None

    @property
    def seconds(self) -> float:
        """The limit of a call."""
        return float(self.timeout_seconds or DEFAULT_TIMEOUT)

    @model_validator(mode="after")
    def _names_each_column_once(self) -> "PythonFunction":
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns has a column more than once: name each once")
        return self


class LabelingFunction(Wire):
    """One cheap, noisy source of votes: it votes for a class or abstains."""

    name: FunctionName
    label: Annotated[
        ClassName | None,
        Field(description="The class it votes for (keywords, regex, threshold and sql need it, or labels or notLabel; lookup, votes and python name classes themselves)."),
    ] = None
    labels: Annotated[
        list[ClassName] | None,
        Field(
            min_length=2,
            max_length=16,
            description="A partial vote, in place of label: the row's class is one of these, without saying which.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None
    not_label: Annotated[ClassName | None, Field(description="A partial vote, in place of label: any class but this one.")] = None
    keywords: Keywords | None = None
    regex: Regex | None = None
    threshold: Threshold | None = None
    sql: Annotated[
        str | None,
        Field(min_length=1, max_length=4096, description="One DuckDB BOOLEAN expression over declared columns: true votes, false and null abstain."),
    ] = None
    lookup: Lookup | None = None
    votes: VoteColumn | None = None
    python: PythonFunction | None = None
    fallback: Annotated[
        bool | None,
        Field(description="Votes only where no other function does; left out of fit, coverage and conflict. When left out: false."),
    ] = None
    accuracy: Annotated[
        float | None, Field(gt=0, lt=1, description="How often a fallback is right, as declared by its owner. When left out: 0.6.")
    ] = None
    enabled: Annotated[bool | None, Field(description="false takes the function out of the vote. When left out: true.")] = None
    abstain: Annotated[
        Literal["auto", "missing", "evidence"] | None,
        Field(description="What an abstain means to the label model. When left out: auto, that is missing for votes and evidence for the others."),
    ] = None
    owner: Annotated[str | None, Field(min_length=1, max_length=253, description="Who answers for it.")] = None
    description: Annotated[str | None, Field(max_length=1024, description="What it looks for, and why.")] = None
    docs: Annotated[str | None, Field(max_length=1024, description="A page about it.")] = None

    @property
    def kind(self) -> str:
        """The one kind that is set."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def is_enabled(self) -> bool:
        return self.enabled is not False

    @property
    def is_fallback(self) -> bool:
        return self.fallback is True

    @property
    def is_soft(self) -> bool:
        """Whether it gives probabilities."""
        return self.votes is not None and self.votes.probabilities is not None

    @property
    def votes_partially(self) -> bool:
        """Whether its vote may name several classes."""
        return self.labels is not None or self.not_label is not None

    def declared_classes(self) -> list[tuple[str, str]]:
        """(field, class) of each class that stands beside its kind."""
        single = [(field, name) for field, name in (("label", self.label), ("notLabel", self.not_label)) if name is not None]
        return single + [("labels", name) for name in self.labels or []]

    def named(self, classes: list[str]) -> tuple[str, ...]:
        """The classes that its vote names, in their order; none when its kind names them row by row."""
        if self.not_label is not None:
            return tuple(name for name in classes if name != self.not_label)
        chosen = self.labels if self.labels is not None else [self.label]
        return tuple(name for name in classes if name in chosen)

    @property
    def abstain_is_missing(self) -> bool:
        return self.abstain == "missing" or (self.abstain in (None, "auto") and self.votes is not None)

    @model_validator(mode="after")
    def _has_one_kind(self) -> "LabelingFunction":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}; found {found}")
        names_classes = kinds[0] in NAMES_CLASSES
        if names_classes and self.label is not None:
            raise ValueError(f"label does not go with {kinds[0]}, which names its classes itself: remove label")
        if names_classes and self.votes_partially:
            raise ValueError(f"labels and notLabel do not go with {kinds[0]}, which names its classes itself: remove them")
        named = [self.label is not None, self.labels is not None, self.not_label is not None].count(True)
        if not names_classes and named != 1:
            raise ValueError(f"label is required with {kinds[0]}, or one of labels and notLabel in its place: keep one of the three")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("labels has a class more than once: name each once")
        if self.is_fallback and (self.votes_partially or self.is_soft):
            raise ValueError("a fallback votes for one class: remove fallback, or name a label")
        if self.accuracy is not None and not self.is_fallback:
            raise ValueError("accuracy is for fallbacks only, others are estimated: remove it or set fallback: true")
        return self
