"""Identity of values: SHA-256 over canonical JSON (sorted keys, no spaces, UTF-8)."""

import hashlib
import json


def canonical_json(value: object) -> bytes:
    """The one way to write a JSON value; NaN and infinities are refused with ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
