"""What the API server's refusal of an object means for the resource behind it."""

from typing import Final

from labelplane.api.reasons import ControlReason
from labelplane.cluster.client import ApiError
from labelplane.errors import ReconcileError, Stalled, Transient

# Reasons of Transient; they reach logs and metrics, never a condition.
CONFLICT: Final = "Conflict"
TERMINATING: Final = "Terminating"
REFUSED: Final = "Refused"

_MESSAGE_LIMIT = 1024


def refusal(error: ApiError, what: str) -> ReconcileError:
    """Stalled when only a person can help, Transient when time can.

    A quota stalls: nothing tells us when there is room again, and a person can make some. Like everything stalled it is
    tried again at each resync, and at once when the resource changes or asks by its reconcile-at annotation. A quota that
    has just been made refuses everything until its use has been counted: that takes moments.
    """
    message = f"the API server refused {what}: {error.message}"[:_MESSAGE_LIMIT]
    if error.status == 403:
        return _forbidden(error, message)
    if error.status in (400, 413, 422):
        return Stalled(ControlReason.INVALID_SPEC, message)
    return Transient(CONFLICT if error.status == 409 else REFUSED, message)


def _forbidden(error: ApiError, message: str) -> ReconcileError:
    if "NamespaceTerminating" in error.causes:
        return Transient(TERMINATING, message)
    if "status unknown for quota" in error.message:
        return Transient(REFUSED, message)
    if "exceeded quota" in error.message:
        return Stalled(ControlReason.QUOTA_EXCEEDED, message)
    return Stalled(ControlReason.FORBIDDEN, message)
