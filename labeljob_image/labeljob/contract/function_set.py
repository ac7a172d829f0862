"""A set of labeling functions with its classes, its contract with the data, and its tests."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.columns import ColumnName, Schema
from labeljob.contract.functions import ClassName, LabelingFunction

LABELS = "labels"  # of the output of a multi-label set, in the place of `label`
OUTPUT_COLUMNS = frozenset({"label", "confidence", "probabilities", "weight", "covered", "votes", "levels", "run"})
Row = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "description": "Column to value; a column left out is null.",
        }
    ),
]


class FunctionTest(Wire):
    """A row and what some functions must say of it."""

    row: Row
    expect: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]],
        Field(min_length=1, max_length=200, description="Function to the class it must vote for, or abstain; to A|B for labels: [A, B], and not A for notLabel: A."),
    ]


class Limits(Wire):
    """When a run stops before it writes."""

    max_error_rate: Annotated[
        float | None, Field(ge=0, le=1, description="Largest share of rows on which one function may fail. When left out: 0.01.")
    ] = None


class FunctionSet(Wire):
    """What may vote, on what: the part of a LabelingFunctionSet that the job reads."""

    classes: Annotated[
        list[ClassName], Field(min_length=2, max_length=127, description="The classes; their order fixes the class index. Never abstain.")
    ]
    multi_label: Annotated[
        bool | None,
        Field(description="true: a row may have any number of the classes, and each class is a question of its own . When left out: false, a row has one class."),
    ] = None
    id_column: Annotated[ColumnName, Field(description="The identity of a row everywhere: string or int64, non-null, unique.")]
    schema_: Annotated[Schema, Field(alias="schema", description="The contract with the data.")]
    functions: Annotated[list[LabelingFunction], Field(min_length=1, max_length=200, description="The labeling functions; their order fixes the order of votes.")]
    tests: Annotated[list[FunctionTest] | None, Field(max_length=500, description="Rows and expected votes; all must pass before the set is Ready.")] = None
    limits: Limits | None = None

    @property
    def max_error_rate(self) -> float:
        given = self.limits.max_error_rate if self.limits else None
        return 0.01 if given is None else given

    @property
    def is_multi_label(self) -> bool:
        return self.multi_label is True

    @property
    def enabled_functions(self) -> tuple[LabelingFunction, ...]:
        return tuple(function for function in self.functions if function.is_enabled)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FunctionSet":
        for what, names in (
            ("classes", [name.lower() for name in self.classes]),
            ("functions", [function.name for function in self.functions]),
            ("schema.columns", [column.name for column in self.schema_.columns]),
        ):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{what} has {repeated[0]!r} more than once: names must be unique")
        if "abstain" in (name.lower() for name in self.classes):
            raise ValueError("classes has 'abstain', which is reserved: rename the class")
        known = set(self.classes)
        for index, function in enumerate(self.functions):
            for field, name in function.declared_classes():
                if name not in known:
                    raise ValueError(f"functions[{index}].{field} {name!r} is not in classes: use one of {', '.join(self.classes)}")
            if function.labels is not None and len(function.labels) == len(self.classes):
                raise ValueError(f"functions[{index}].labels names all classes, which says nothing: leave one out")
        if self.is_multi_label and self.id_column == LABELS:
            raise ValueError(f"idColumn {LABELS!r} is the name of an output column of multi-label sets: rename the column in the data")
        if self.id_column in OUTPUT_COLUMNS:
            raise ValueError(f"idColumn {self.id_column!r} is the name of an output column: rename the column in the data")
        return self

    def canonical(self) -> dict[str, object]:
        """What decides the votes: classes, id column, schema, enabled functions, limits. No owner, text, test or Secret."""
        about: dict[str, Any] = {"owner": True, "description": True, "docs": True, "enabled": True, "lookup": {"table": {"secret_ref"}}}
        functions = [function.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=about) for function in self.enabled_functions]
        return {
            "classes": list(self.classes),
            "idColumn": self.id_column,
            "schema": self.schema_.wire(),
            "functions": functions,
            "limits": {"maxErrorRate": self.max_error_rate},
            **({"multiLabel": True} if self.is_multi_label else {}),  # absent: digests of other sets stay what they were
        }
