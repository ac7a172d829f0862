"""What stops a reconcile, named for what to do next.

    ReconcileError
    ├── Stalled     a person must change something; no retry helps
    ├── Waiting     another resource must change first; its event wakes us, with a slow retry as a net
    └── Transient   try again soon, with backoff
"""


class ReconcileError(Exception):
    """Carries the reason (an enum value of `api.reasons.Reason`) and a message that says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Stalled(ReconcileError):
    """A person must change something."""


class Waiting(ReconcileError):
    """Another resource must change first."""


class Transient(ReconcileError):
    """The API server, the network or a race: try again."""
