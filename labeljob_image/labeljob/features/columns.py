"""Which columns of the input a model may learn from: declared, known at the row's time, not sensitive, and not the answer (X24, F5)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labeljob.contract.columns import Column
from labeljob.contract.features import Features, FeatureTable
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError


@dataclass(frozen=True)
class Chosen:
    """Columns of the input.

    Attributes:
        read: all that are needed: the id, those that go into the training set, keys and time.
        shown: names of those that go into it, without the id.
        left_out: declared columns that never do, and why.
    """

    read: tuple[Column, ...]
    shown: tuple[str, ...]
    left_out: dict[str, str]

    def column(self, name: str) -> Column:
        """One of `read`."""
        return next(column for column in self.read if column.name == name)


def choose(features: Features, function_set: FunctionSet, gold: Collection[str], labels: Sequence[str]) -> Chosen:
    """The columns that `features` names, or all that a model may learn from.

    Args:
        gold: names of columns that hold known classes, wherever they stand.
        labels: columns of the output that go into the training set.
    Raises:
        JobError: CONFIG_INVALID, naming the field, the column and what to do.
    """
    id_column = function_set.id_column
    declared = {column.name: column for column in function_set.schema_.columns}
    left_out = {name: why for name, column in declared.items() if (why := unfit(column, gold))}
    shown = [name for name in declared if name not in left_out and name != id_column]
    if features.columns is not None:
        shown = [_asked(place, features.columns, function_set, left_out) for place in range(len(features.columns))]
    read = [declared[id_column], *(declared[name] for name in shown), *_keys_and_time(features, function_set, gold)]
    _refuse_one_name([*labels, *shown, *(name for table in features.tables for name in (table.known_at, *table.columns))])
    return Chosen(tuple(dict.fromkeys(read)), tuple(shown), left_out)


def unfit(column: Column, gold: Collection[str]) -> str | None:
    """Why no model may learn from a column; None where it may. What is hashed comes as its hash."""
    if column.name in gold:
        return "holds known classes"
    if column.is_dropped:
        return "is sensitive"
    return "is known only later" if column.availability == "later" else None


def refuse_features(table: FeatureTable, field: str, function_set: FunctionSet, gold: Collection[str]) -> None:
    """Raises JobError CONFIG_INVALID when a feature has the name of a column whose values no model is to see."""
    known = {column.name.lower(): column for column in function_set.schema_.columns}  # readers of SQL see no difference
    answers = {name.lower() for name in gold}
    for place, feature in enumerate(table.features):
        column = known.get(feature.name.lower()) or Column(name=feature.name, type=feature.type)
        why = "is sensitive" if column.is_hashed else "holds known classes" if feature.name.lower() in answers else unfit(column, gold)
        if why:
            raise refused(f"{field}.features[{place}].name", f"a column {feature.name} of the input {why}: remove it, or give the column of the table a name of its own")


def _asked(place: int, names: Sequence[str], function_set: FunctionSet, left_out: dict[str, str]) -> str:
    name, field = names[place], f"columns[{place}]"
    if name == function_set.id_column or name in names[:place]:
        raise refused(field, f"column {name} is there already: remove it")
    if function_set.schema_.column(name) is None:
        raise refused(field, f"column {name} is not declared in spec.schema.columns: add it there, or remove it here")
    if name in left_out:
        raise refused(field, f"column {name} {left_out[name]}, so that no model may learn from it: remove it")
    return name


def _keys_and_time(features: Features, function_set: FunctionSet, gold: Collection[str]) -> list[Column]:
    if features.time is None:
        return []
    time = _known(features.time, "time", function_set, gold)
    if time.type != "timestamp":
        raise refused("time", f"column {time.name} is {time.type} in spec.schema.columns: name a timestamp")
    fields = [(f"tables[{place}].keys", key) for place, table in enumerate(features.tables) for key in table.keys]
    keys = [_known(key, field, function_set, gold) for field, key in fields]
    for (field, _), column in zip(fields, keys, strict=True):
        if column.type == "float64":
            raise refused(field, f"column {column.name} is float64, and a rounded number is no name of anything: use string or int64")
    return [time, *keys]


def _known(name: str, field: str, function_set: FunctionSet, gold: Collection[str]) -> Column:
    column = function_set.schema_.column(name)
    if column is None:
        raise refused(field, f"column {name} is not declared in spec.schema.columns: add it there, or name another")
    if why := unfit(column, gold):
        raise refused(field, f"column {name} {why}: name another")
    return column


def _refuse_one_name(names: Sequence[str]) -> None:
    """Readers of SQL see no difference between upper and lower case."""
    seen = set[str]()
    for name in names:
        if name.lower() in seen:
            raise refused("columns", f"two columns of the training set would be called {name}: leave it out of columns, or rename it in the data")
        seen.add(name.lower())


def refused(field: str, why: str) -> JobError:
    """What is asked for cannot be."""
    return JobError(JobReason.CONFIG_INVALID, f"{field}: {why}")
