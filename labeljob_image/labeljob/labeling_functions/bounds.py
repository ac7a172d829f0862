"""Comparisons of a numeric column with a bound, exact for both types; NaN satisfies none of them.

An int64 column is compared with whole numbers (above 6.5 is above 6), never through a float64 that would round it.
"""

import math

from labeljob.contract.columns import ColumnType
from labeljob.labeling_functions.quoting import INT64_MAX, INT64_MIN, float64
from labeljob.labeling_functions.scope import column_sql

NUMERIC: tuple[ColumnType, ...] = ("int64", "float64")
OPERATORS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
WHOLE = {"above": math.floor, "at_least": math.ceil, "below": math.ceil, "at_most": math.floor}


def compare(column: str, column_type: ColumnType, relation: str, bound: float) -> str:
    """SQL of `column relation bound`; `relation` is above, at_least, below or at_most."""
    name, operator = column_sql(column), OPERATORS[relation]
    if column_type == "int64":
        whole = min(max(WHOLE[relation](bound), INT64_MIN - 1), INT64_MAX + 1)
        fits = INT64_MIN <= whole <= INT64_MAX
        return f"{name} {operator} CAST('{whole}' AS {'BIGINT' if fits else 'HUGEINT'})"
    return f"NOT isnan({name}) AND {name} {operator} {float64(bound)}"
