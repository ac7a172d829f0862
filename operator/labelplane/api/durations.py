"""Go durations in seconds, as operator and job both read them."""

from labeljob.contract.durations import seconds

__all__ = ["seconds"]
