"""What a job and the process of its `python` functions say to each other: frames over a socket pair. Arrow IPC goes there, bytes and JSON come back.

    job -> process    LOAD {position, entrypoint}              process -> job    LOADED {problem?}
                      CALL {position, allowance, seconds}                        BEGIN, once for each call of the function
                      ROWS Arrow IPC stream of one batch                         VOTES int8 [n_rows], then FAILURES {what: rows}
"""

import struct

LOAD, CALL, ROWS, LOADED, BEGIN, VOTES, FAILURES = range(1, 8)
HEADER = struct.Struct("<BI")  # kind, bytes that follow
MOST_JSON = 1 << 20  # bytes
OUT_OF_MEMORY = 71  # exit code


def framed(kind: int, payload: bytes) -> bytes:
    """A frame."""
    return HEADER.pack(kind, len(payload)) + payload
