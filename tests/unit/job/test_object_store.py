"""F5: what an object store says, by its code and status alone, whatever stands in names and texts beside it."""

import pytest

from labeljob.contract.config import Access
from labeljob.contract.reasons import ExitCode, JobReason, exit_code
from labeljob.io.credentials import Credentials
from labeljob.io.object_store import ObjectStore

STORE = ObjectStore("lake", Access(uri="s3://lake/redirect/certificate", field="spec.input", secret="keys"), Credentials({"AWS_ACCESS_KEY_ID": "AKIASHOWN"}, "Secret keys"))
URL = "Error performing GET http://store/lake/redirect/certificate/503-timed-out.parquet in 3ms - Server returned non-2xx status code: "


def answer(status: str, code: str = "") -> str:
    return URL + status + (f": <Error><Code>{code}</Code><AWSAccessKeyId>AKIASHOWN</AWSAccessKeyId></Error>" if code else ": ")


SAID = [
    (answer("403 Forbidden", "InvalidAccessKeyId"), JobReason.STORAGE_DENIED, "AWS_ACCESS_KEY_ID"),
    (answer("403 Forbidden", "SignatureDoesNotMatch"), JobReason.STORAGE_DENIED, "AWS_SECRET_ACCESS_KEY"),
    (answer("403 Forbidden", "RequestTimeTooSkewed"), JobReason.STORAGE_DENIED, "clocks"),
    (answer("400 Bad Request", "ExpiredToken"), JobReason.STORAGE_DENIED, "AWS_SESSION_TOKEN"),
    (answer("403 Forbidden", "AccessDenied"), JobReason.STORAGE_DENIED, "may not do this"),
    (answer("403 Forbidden"), JobReason.STORAGE_DENIED, "may not do this"),
    (answer("404 Not Found", "NoSuchBucket"), JobReason.SOURCE_NOT_FOUND, "no bucket lake"),
    (answer("301 Moved Permanently", "PermanentRedirect"), JobReason.STORAGE_DENIED, "AWS_REGION"),
    ("Generic S3 error: Received redirect without LOCATION, this normally indicates an incorrectly configured region", JobReason.STORAGE_DENIED, "AWS_REGION"),
    (answer("503 Service Unavailable", "SlowDown"), JobReason.STORAGE_UNAVAILABLE, "SlowDown"),
    (answer("500 Internal Server Error"), JobReason.STORAGE_UNAVAILABLE, "500"),
    ("HTTP error: error sending request", JobReason.STORAGE_UNAVAILABLE, "cannot be reached"),
    ("client error (Connect): invalid peer certificate: UnknownIssuer", JobReason.STORAGE_DENIED, "SSL_CERT_FILE"),
]


@pytest.mark.parametrize(("text", "reason", "words"), SAID)
def test_what_is_said(text: str, reason: JobReason, words: str) -> None:
    found = STORE.problem(Exception(text))
    assert found is not None
    assert (found.reason, words in found.message) == (reason, True)
    assert found.message.startswith("spec.input.uri: s3://lake/redirect/certificate: ")
    assert "AKIASHOWN" not in found.message
    assert (exit_code(reason) == ExitCode.TRANSIENT) == (reason is JobReason.STORAGE_UNAVAILABLE)


OTHER = [answer("404 Not Found", "NoSuchKey"), answer("412 Precondition Failed", "PreconditionFailed"), answer("409 Conflict"), "Parquet magic bytes not found", URL]


@pytest.mark.parametrize("text", OTHER)
def test_what_is_no_refusal_is_left_to_whoever_asked(text: str) -> None:
    assert STORE.problem(Exception(text)) is None


def test_credentials_are_not_shown() -> None:
    assert "AKIASHOWN" not in repr(STORE)
