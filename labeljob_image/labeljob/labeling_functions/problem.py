"""What is wrong with a manifest, where, and what to do: with kubectl's field paths."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MESSAGE_LIMIT = 2000


@dataclass(frozen=True)
class Problem:
    """`path` is a kubectl-like field path (`spec.functions[3].regex.column`), `message` names the remedy."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def bounded(messages: Sequence[str], limit: int = MESSAGE_LIMIT) -> str:
    """The first messages that fit in `limit` characters, joined by "; ", and how many more there are."""
    kept: list[str] = []
    room = limit - len("; and 10000 more")
    for message in messages:
        if room < len(message) + 2:
            break
        kept.append(message)
        room -= len(message) + 2
    if not kept and messages:
        kept = [messages[0][: max(room - 1, 0)] + "…"]
    more = len(messages) - len(kept)
    return "; ".join([*kept, f"and {more} more"] if more else kept)


def summarise(problems: Iterable[Problem]) -> str:
    """All problems as one bounded message."""
    return bounded([str(problem) for problem in problems])
