"""One error type for all that stops a job: a reason of the contract and a message that says what to do."""

from labeljob.contract.reasons import JobReason


class JobError(Exception):
    """Stops the job. `message` names the field or column and the remedy; it never holds a value of a sensitive column."""

    def __init__(self, reason: JobReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
