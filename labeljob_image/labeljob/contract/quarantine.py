"""Rows that break the contract by a value and are set apart, so that the others are labelled. Never a value."""

from labeljob.contract.base import Wire

BREACHES = 5  # in a result
MOST_SHARE = 0.01  # of the rows of a run, when nobody says it


class BreachCount(Wire):
    """What values of a column break, and how many of them."""

    column: str
    what: str
    count: int


class Quarantine(Wire):
    """The rows that a run did not label; they stand as Parquet files in the folder `uri`."""

    rows: int
    of_rows: int
    uri: str
    breaches: list[BreachCount] = []  # in the order of columns, at most BREACHES
