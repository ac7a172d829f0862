"""The process that `python` functions run in: `python -m labeljob.labeling_functions.python_worker FD GIVEN`, started by a job (`python_process`).

It gives up its rights, then imports functions as they are asked for, and calls them. What they return becomes class indices here; what they
raise becomes the name of the exception and a line of their module, never its text, which may hold a value of a row.
"""

import importlib
import importlib.util
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from labeljob.labeling_functions import python_frames as frames
from labeljob.labeling_functions.sandbox import bound, confine, end_with_parent

ABSTAIN, ERROR_VOTE = -1, -128  # as in `labeljob.votes` and `scope`, which load more than is needed here
UNKNOWN_CLASS = "returned a class that is not in spec.classes"
BAD_NAME = "its own exception"


class BadAnswer(Exception):
    """What the function returned cannot be its votes; the text is ours."""


class Caller:
    """One function: its answers as votes.

    Args:
        function: f(batch) -> pyarrow.Array. file: of its module. classes: pyarrow.Array of the class names.
        begin: called before each call of the function.
    """

    def __init__(self, function: Callable[[Any], Any], file: str | None, classes: Any, begin: Callable[[], None]) -> None:
        self._function, self._file, self._classes, self._begin = function, file, classes, begin

    def votes(self, batch: Any, allowance: int, seconds: float) -> tuple[Any, Counter[str]]:
        """int8 [n_rows] with ERROR_VOTE where the function fails, and how many rows fail of what.

        Where a call fails its rows are halved, until more than `allowance` rows alone have failed, or for `seconds`: what is undecided then
        counts as failed.
        """
        import numpy as np

        votes, failures = np.full(batch.num_rows, ERROR_VOTE, dtype=np.int8), Counter[str]()
        pending, alone, until, last = [(0, batch.num_rows)], 0, float("inf"), ""
        while pending and alone <= allowance and time.monotonic() < until:
            start, stop = pending.pop()
            try:
                votes[start:stop] = self._call(batch.slice(start, stop - start), failures)
            except MemoryError:
                os._exit(frames.OUT_OF_MEMORY)  # what is left of memory belongs to nobody
            except BaseException as error:  # noqa: BLE001 SystemExit, too, is the function's failure
                until, last = min(until, time.monotonic() + seconds), self._what(error)
                middle = (start + stop) // 2
                pending.extend([(start, middle), (middle, stop)] if stop - start > 1 else [])
                failures[last] += stop - start == 1
                alone += stop - start == 1
        failures[last] += sum(stop - start for start, stop in pending)
        return votes, +failures

    def _call(self, batch: Any, failures: Counter[str]) -> Any:
        """int8 [n_rows]: the answers as class indices; ERROR_VOTE for a class that there is not."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self._begin()
        answers = self._function(batch)
        if not isinstance(answers, pa.Array | pa.ChunkedArray):
            raise BadAnswer(f"returned {_type_name(type(answers))}, which is no pyarrow.Array")
        if len(answers) != batch.num_rows:
            raise BadAnswer("returned an array of another length than the batch")
        if not _is_text(answers.type):
            raise BadAnswer(f"returned an array of {answers.type}: class names are strings"[:200])
        names = answers.cast(pa.string())
        places = pc.index_in(names, value_set=self._classes)
        votes = np.asarray(pc.fill_null(places, ABSTAIN)).astype(np.int8)
        unknown = np.asarray(pc.and_(pc.is_valid(names), pc.is_null(places)))
        votes[unknown] = ERROR_VOTE
        failures[UNKNOWN_CLASS] += int(unknown.sum())
        return votes

    def _what(self, error: BaseException) -> str:
        return str(error) if isinstance(error, BadAnswer) else f"raised {_type_name(type(error))}{_line(error.__traceback__, self._file)}"


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value) or pa.types.is_null(value))


def _type_name(kind: type) -> str:
    """The name of a type that stands in a module under this name: one made at run time may be called anything."""
    module = sys.modules.get(str(kind.__module__))
    return kind.__name__[:63] if getattr(module, kind.__name__, None) is kind else BAD_NAME


def _line(trace: TracebackType | None, file: str | None) -> str:
    """` at acme_lfs.py:12`: the last line of the function's own module on the way."""
    line = None
    while trace is not None:
        line = trace.tb_lineno if file is not None and trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    return f" at {os.path.basename(file)}:{line}" if file is not None and line is not None else ""  # noqa: PTH119


class Server:
    """Answers the job until it hangs up."""

    def __init__(self, connection: socket.socket, classes: list[str]) -> None:
        import pyarrow as pa

        self._socket, self._classes = connection, pa.array(classes, pa.string())
        self._callers: dict[int, Caller] = {}

    def serve(self) -> None:
        """Returns when the job has closed its end."""
        while (frame := self._receive()) is not None:
            kind, payload = frame
            given = json.loads(payload)
            if kind == frames.LOAD:
                problem = self._load(given["position"], given["entrypoint"])
                self._send(frames.LOADED, json.dumps({"problem": problem} if problem else {}).encode())
            elif kind == frames.CALL:
                self._answer(given)

    def _load(self, position: int, entrypoint: str) -> str | None:
        """Import a function; why it cannot be, or None."""
        name, _, attribute = entrypoint.partition(":")
        try:
            module = importlib.import_module(name)
            function = getattr(module, attribute, None)
        except MemoryError:
            os._exit(frames.OUT_OF_MEMORY)
        except ModuleNotFoundError as error:
            missing = str(error.name)
            return "missing" if f"{name}.".startswith(f"{missing}.") else f"importing it needs the module {missing[:253]}, which is not there: add it"
        except BaseException as error:  # noqa: BLE001 whatever an import does
            spec = importlib.util.find_spec(name.partition(".")[0])
            return f"importing it raised {_type_name(type(error))}{_line(error.__traceback__, spec.origin if spec else None)}: correct the module"
        if not callable(function):
            return f"{name} has no function {attribute}: correct the name"
        self._callers[position] = Caller(function, getattr(module, "__file__", None), self._classes, lambda: self._send(frames.BEGIN, b""))
        return None

    def _answer(self, given: Mapping[str, Any]) -> None:
        import pyarrow as pa

        frame = self._receive()
        if frame is None:
            return
        batch = pa.ipc.open_stream(pa.py_buffer(frame[1])).read_next_batch()
        votes, failures = self._callers[given["position"]].votes(batch, given["allowance"], given["seconds"])
        self._send(frames.VOTES, votes.tobytes())
        self._send(frames.FAILURES, json.dumps(failures).encode())

    def _send(self, kind: int, payload: bytes) -> None:
        self._socket.sendall(frames.framed(kind, payload))

    def _receive(self) -> tuple[int, bytes] | None:
        header = self._exactly(frames.HEADER.size)
        if header is None:
            return None
        kind, length = frames.HEADER.unpack(header)
        payload = self._exactly(length)
        return None if payload is None else (kind, payload)

    def _exactly(self, length: int) -> bytes | None:
        data = bytearray()
        while len(data) < length:
            part = self._socket.recv(min(length - len(data), 1 << 20))
            if not part:
                return None
            data += part
        return bytes(data)


def main() -> None:
    """Give up rights, then serve."""
    connection, given = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    connection.set_inheritable(False)
    end_with_parent(given["job"])
    confine([*(path for path in sys.path if path), sys.prefix, sys.base_prefix, *given["folders"], *given["readable"]], [given["scratch"]])
    import pyarrow as pa
    import pyarrow.compute  # loaded before the functions' folders can shadow anything

    pa.set_cpu_count(given["threads"])
    server = Server(connection, given["classes"])
    sys.argv[:] = ["labeljob"]
    sys.path[:0] = given["folders"]
    bound(given["memory"])
    server.serve()


if __name__ == "__main__":
    main()
