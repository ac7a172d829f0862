"""Keyed hashes in the place of sensitive values: HMAC-SHA-256 over typed bytes, as 64 hex digits (F5).

    string  "string:" + its UTF-8 bytes          the text is taken as it is: no trimming, no folding of case
    int64   "int64:"  + its decimal digits       1 and "1" have different hashes
    null    null

Equal values of a type have equal hashes in every column and dataset, so that joins go on working. Without the key a hash says nothing of its
value; with it, all that can be guessed can be found, so whoever has the key has the values.
"""

import hashlib
from typing import Any

import pyarrow as pa

from labeljob.contract.columns import HASHABLE, Schema
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations

LEAST_BYTES = 32  # as many as a SHA-256 has; RFC 2104 advises against fewer
BLOCK = 64  # bytes that SHA-256 takes at a time
ID_DIGITS = 10
AGAIN = "then set the annotation labelplane.dev/reconcile-at"


class Hasher:
    """Hashes with one key. `key_id` tells this key from others, and does not tell what it is."""

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
        self._inner, self._outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
        self.key_id = self._hex(b"labelplane key id")[:ID_DIGITS]  # no value has these bytes: a value's begin with a type and a colon

    def hashed(self, values: Any) -> Any:
        """The hashes of string or int64 values (pyarrow.Array or ChunkedArray), a pyarrow.Array of string; each distinct value is hashed once."""
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        kind = "string" if pa.types.is_string(whole.type) else "int64"
        if kind == "int64" and whole.type != pa.int64():
            raise TypeError(f"only {' and '.join(HASHABLE)} are hashed, this is {whole.type}")
        encoded = whole.dictionary_encode()
        tag = f"{kind}:".encode()
        hashes = [self._hex(tag + str(value).encode()) for value in encoded.dictionary.to_pylist()]
        return pa.array(hashes, pa.string()).take(encoded.indices)

    def _hex(self, content: bytes) -> str:
        """HMAC (RFC 2104) of one value; both states keyed in advance, which takes half the time of `hmac.digest`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.hexdigest()


def hasher_of(schema: Schema, locations: Locations, expected: str | None = None) -> Hasher | None:
    """What hashes the schema's columns; None where it has none to hash. `expected` is the id of the key that was pinned.

    Raises:
        JobError: HASH_KEY_INVALID: no such Secret or key, or too few bytes; HASH_KEY_CHANGED: it is not the pinned one.
        OSError: the key is there and cannot be read.
    """
    if not schema.hashed or schema.hash_key_ref is None:
        return None
    ref = schema.hash_key_ref
    where = f"spec.schema.hashKeyRef: key {ref.key} of Secret {ref.name}"
    key = _read(ref.uri, locations)
    if key is None:
        what = f"is not there: create it in this namespace (on a laptop give --secret {ref.name}=FOLDER, with a file {ref.key}), {AGAIN}"
        raise JobError(JobReason.HASH_KEY_INVALID, f"{where} {what}")
    if len(key) < LEAST_BYTES:
        what = f"has {len(key)} bytes and must have at least {LEAST_BYTES}: make it of random bytes, {AGAIN}"
        raise JobError(JobReason.HASH_KEY_INVALID, f"{where} {what}")
    hasher = Hasher(key)
    if expected not in (None, hasher.key_id):
        what = f"is another one (id {hasher.key_id}) than values were hashed with (id {expected}): restore it, or set the annotation labelplane.dev/reconcile-at"
        raise JobError(JobReason.HASH_KEY_CHANGED, f"{where} {what} of the LabelingFunctionSet to check, fit and label anew with this one")
    return hasher


def _read(uri: str, locations: Locations) -> bytes | None:
    """The key; None where there is no such Secret or key. OSError: it is there and cannot be read."""
    try:
        return locations.existing(uri).read_bytes()
    except FileNotFoundError:
        return None
    except JobError as error:
        if error.reason is not JobReason.SOURCE_NOT_FOUND:
            raise
        return None
