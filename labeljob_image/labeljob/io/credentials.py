"""How an object store is reached: the keys of a Secret, a file each, or AWS_* of the environment. Nothing here is ever shown (F5, G6).

The static keys of the environment are taken out of it at the start (`take_ambient`): a named Secret is never mixed with them, and no
child process inherits them.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labeljob.contract.config import Access
from labeljob.contract.datasets import CREDENTIAL_KEYS
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError

KEY_ID, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
IDENTITY: Final = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Credentials:
    """What signs requests, and where they go. `values` has keys of CREDENTIAL_KEYS; `whence` names their place for people."""

    values: Mapping[str, str] = field(repr=False)
    whence: str

    @property
    def region(self) -> str:
        return self.values.get("AWS_REGION") or self.values.get("AWS_DEFAULT_REGION") or DEFAULT_REGION

    @property
    def endpoint(self) -> str | None:
        return self.values.get("AWS_ENDPOINT_URL")

    @property
    def unsigned(self) -> bool:
        """Whether requests go without a signature, as to a public bucket."""
        return self._is_true("AWS_SKIP_SIGNATURE")

    @property
    def allows_http(self) -> bool:
        return self._is_true("AWS_ALLOW_HTTP")

    def _is_true(self, name: str) -> bool:
        return self.values.get(name, "").lower() in ("true", "1")


def take_ambient(environment: MutableMapping[str, str]) -> dict[str, str]:
    """The static keys of the environment, which no longer has them afterwards. A workload identity stays where it is."""
    taken = {name: value for name in CREDENTIAL_KEYS if (value := environment.pop(name, None))}
    return taken | {name: value for name in IDENTITY if (value := environment.get(name))}


def of_secret(access: Access, folder: Path | None) -> Credentials:
    """The credentials of the Secret that `access` names.

    Raises:
        JobError: SECRET_INVALID: the Secret, or a key that is needed, is not there.
    """
    where = f"{access.field}.secretRef: Secret {access.secret}"
    values = {name: text for name in CREDENTIAL_KEYS if folder is not None and (text := _text(folder / name))}
    if not values:  # a folder says nothing: that of a Secret which is not there is mounted, too
        advice = f"create it in this namespace (locally: --secret {access.secret}=FOLDER)"
        raise JobError(JobReason.SECRET_INVALID, f"{where} is not there, or has none of the keys {KEY_ID}, {SECRET_KEY}: {advice}")
    found = Credentials(values, f"Secret {access.secret}")
    missing = [name for name in (KEY_ID, SECRET_KEY) if name not in values]
    if missing and not found.unsigned:
        raise JobError(JobReason.SECRET_INVALID, f"{where} has no key {' and no key '.join(missing)}: add it")
    return found


def of_environment(access: Access, ambient: Mapping[str, str]) -> Credentials:
    """The credentials of the environment. JobError SECRET_INVALID when it has none."""
    found = Credentials({name: value for name, value in ambient.items() if name in CREDENTIAL_KEYS}, "the environment")
    signed = ambient.get(KEY_ID) and ambient.get(SECRET_KEY)
    if not signed and not found.unsigned and not any(ambient.get(name) for name in IDENTITY):
        advice = f"name a Secret in {access.field}.secretRef, or set {KEY_ID} and {SECRET_KEY}"
        raise JobError(JobReason.SECRET_INVALID, f"{access.field}.uri: there are no credentials for {access.uri}: {advice}")
    return found


def _text(file: Path) -> str:
    """A key of the Secret; a line break at its end, which editors and `echo` leave, is not part of it."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
