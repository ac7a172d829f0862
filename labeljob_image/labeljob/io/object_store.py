"""A bucket of an S3-compatible store: its client, what is asked of it again, and its errors as reasons a person can act on.

Files go through obstore and tables through deltalake; both stand on the same engine and are given the same options. Errors of either
are read by their code alone: their text may hold the key id, and goes nowhere.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from labeljob.contract.config import Access
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.credentials import Credentials


@dataclass(frozen=True)
class Retries:
    """How long a request that the store could not serve (5xx, SlowDown, a broken connection) is asked again before the job ends as transient."""

    most: int = 100
    seconds: float = 60.0  # after which a request is not asked again
    first: float = 0.1  # seconds before the first; from then on twice as long each time, at random, up to `longest`
    longest: float = 5.0


@dataclass(frozen=True, eq=False)
class ObjectStore:
    """A bucket, reached as `access` says."""

    bucket: str
    access: Access
    credentials: Credentials
    retries: Retries = field(default_factory=Retries)

    @cached_property
    def client(self) -> Any:
        """obstore's client; loaded where an object store is used, for it starts threads."""
        from obstore.store import S3Store

        values = self.credentials.values
        names = {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key", "AWS_SESSION_TOKEN": "session_token"}
        config: dict[str, Any] = {name: values[key] for key, name in names.items() if key in values}
        config |= {"region": self.credentials.region, "disable_bulk_delete": True}  # not every store has it, and it fails where a key is gone already
        if self.credentials.endpoint:
            config["endpoint"] = self.credentials.endpoint
        if self.credentials.unsigned:
            config["skip_signature"] = True
        backoff = {"init_backoff": timedelta(seconds=self.retries.first), "max_backoff": timedelta(seconds=self.retries.longest), "base": 2}
        retry = {"max_retries": self.retries.most, "retry_timeout": timedelta(seconds=self.retries.seconds), "backoff": backoff}
        return S3Store(self.bucket, config=config, client_options={"allow_http": self.credentials.allows_http}, retry_config=retry)

    @property
    def table_options(self) -> dict[str, str]:
        """The same for deltalake."""
        values = self.credentials.values
        options = {name: value for name, value in values.items() if name != "AWS_DEFAULT_REGION"}
        retries = self.retries
        return options | {
            "AWS_REGION": self.credentials.region,
            "AWS_CONDITIONAL_PUT": "etag",
            "max_retries": str(retries.most),
            "retry_timeout": f"{retries.seconds:.0f}s",
            "backoff_config.init_backoff": f"{retries.first * 1000:.0f}ms",
            "backoff_config.max_backoff": f"{retries.longest * 1000:.0f}ms",
            "backoff_config.base": "2",
        }

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the store refuses, or does not answer, as JobError; FileNotFoundError and what is not the store's pass."""
        try:
            yield
        except JobError:
            raise
        except Exception as error:
            if (known := self.problem(error)) is not None:
                raise known from None
            raise

    def problem(self, error: BaseException) -> JobError | None:
        """What an error of either engine says, by its code; None when it says nothing of the store (a key is not there, a condition does not hold)."""
        text = str(error)
        code = found.group(1) if (found := re.search(r"<Code>(\w+)</Code>", text)) else None
        status = int(found.group(1)) if (found := re.search(r"\b([345]\d\d) [A-Z][A-Za-z]+", text)) else None
        for knows in (self._refused, self._misplaced, self._unavailable):
            if (known := knows(code, status, text)) is not None:
                return known
        return None

    def _refused(self, code: str | None, status: int | None, _text: str) -> JobError | None:
        whence, at = self.credentials.whence, self._where
        if code in ("InvalidAccessKeyId", "XAdminUserNotFound"):
            return _denied(f"{at}: the store knows no key AWS_ACCESS_KEY_ID of {whence}: correct it, or AWS_ENDPOINT_URL")
        if code == "SignatureDoesNotMatch":
            return _denied(f"{at}: AWS_SECRET_ACCESS_KEY of {whence} does not go with its AWS_ACCESS_KEY_ID: correct one of them")
        if code in ("ExpiredToken", "InvalidToken", "TokenRefreshRequired"):
            return _denied(f"{at}: AWS_SESSION_TOKEN of {whence} is not valid, or not any more: renew it, or remove it")
        if code in ("RequestTimeTooSkewed", "RequestExpired"):
            return _denied(f"{at}: the clocks of this node and of the store differ: set them")
        if code in ("AccessDenied", "AllAccessDisabled", "AccountProblem") or status in (401, 403):
            return _denied(f"{at}: the key of {whence} may not do this: grant it to list and read there, for output and artifacts also to write and delete")
        return None

    def _misplaced(self, code: str | None, status: int | None, text: str) -> JobError | None:
        if code == "NoSuchBucket":
            why = f"there is no bucket {self.bucket}: create it, or correct the uri, or AWS_ENDPOINT_URL and AWS_REGION of {self.credentials.whence}"
            return JobError(JobReason.SOURCE_NOT_FOUND, f"{self._where}: {why}")
        wrong_region = code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException", "InvalidRegion")
        if wrong_region or status in (301, 307) or "Received redirect" in text:
            why = f"the bucket is not in region {self.credentials.region}: set AWS_REGION of {self.credentials.whence} to the bucket's"
            return _denied(f"{self._where}: {why}")
        if "URL scheme is not allowed" in text or "BadScheme" in text:
            return _denied(f"{self._where}: AWS_ENDPOINT_URL of {self.credentials.whence} is http: use https, or set AWS_ALLOW_HTTP to true")
        return None

    def _unavailable(self, code: str | None, status: int | None, text: str) -> JobError | None:
        if re.search(r"invalid peer certificate|InvalidCertificate", text):
            whose = self.credentials.endpoint or "the store"
            advice = "name the authority's file in SSL_CERT_FILE (spec.runtime.env)"
            return _denied(f"{self._where}: the certificate of {whose} is of no authority that is known here: {advice}")
        slow = code in ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Busy")
        broken = re.search(r"error sending request|HTTP error|connect(ion)? (error|refused|closed)|timed out|error decoding response|body error", text, re.IGNORECASE)
        if status == 501 or not (slow or broken or (status is not None and status >= 500)):
            return None
        said = f"answers {code or status}" if code or status else "cannot be reached"
        endpoint = self.credentials.endpoint or "the store"
        return JobError(JobReason.STORAGE_UNAVAILABLE, f"{self._where}: {endpoint} {said}, also when asked again: the job is tried again; see that the store is up")

    @property
    def _where(self) -> str:
        return f"{self.access.field}.uri: {self.access.uri}"


def _denied(message: str) -> JobError:
    return JobError(JobReason.STORAGE_DENIED, message)
