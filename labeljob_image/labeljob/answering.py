"""How a process ends that answers one question of the command line's: an answer or an error, as one line of JSON on stdout (ADR 9).

Exit code 1: the answer is an error. Of one that nobody foresaw the type and the place are told and never its own words, which may quote a row.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import ValidationError

from labeljob.contract.base import Wire
from labeljob.contract.config import Access, Mount
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.credentials import take_ambient
from labeljob.io.locations import Locations
from labeljob.io.places import refusal
from labeljob.logs import frames
from labeljob.without_pandas import start_arrow

SHOWN = 3  # frames


class Question(Protocol):
    """What every request says: how places are reached, and the output that it is about."""

    @property
    def mounts(self) -> tuple[Mount, ...]: ...

    @property
    def access(self) -> tuple[Access, ...]: ...

    @property
    def output(self) -> str: ...


Request = TypeVar("Request", bound=Wire)
Asked = TypeVar("Asked", bound=Question)


def given_request(arguments: Sequence[str] | None, program: str, kind: type[Request]) -> Callable[[], Request]:
    """What reads the request of `--request FILE`. It raises JobError CONFIG_INVALID, naming the field, where the file is no such request."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--request", type=Path, required=True, help=f"the {kind.__name__}, a JSON file")
    file: Path = parser.parse_args(arguments).request

    def read() -> Request:
        try:
            return kind.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise JobError(JobReason.CONFIG_INVALID, f"the request is not valid at {where or 'its root'}: {first['msg']}") from None

    return read


def answered(read: Callable[[], Asked], answer: Callable[[Asked, Locations], Mapping[str, object]], doing: str) -> int:
    """Print the answer, or why there is none; returns the exit code. `doing`: in words, what is done meanwhile."""
    try:
        start_arrow()
        text = json.dumps(_refused(read(), answer))
    except (KeyboardInterrupt, SystemExit):
        raise
    except JobError as error:
        return _failed(error.reason, error.message)
    except BaseException as error:  # noqa: BLE001 the one place where anything unexpected ends; a panic of an engine's is no Exception
        place = "; ".join(frames(error.__traceback__)[-SHOWN:])
        return _failed(JobReason.INTERNAL_ERROR, f"{type(error).__name__} while {doing}, at {place}: report it with this line")
    print(text)
    return 0


def _refused(request: Asked, answer: Callable[[Asked, Locations], Mapping[str, object]]) -> Mapping[str, object]:
    """The answer; what an object store refuses meanwhile is a JobError, too."""
    locations = Locations(request.mounts, request.access, take_ambient(os.environ))
    try:
        return answer(request, locations)
    except JobError:
        raise
    except Exception as error:  # noqa: BLE001 it is raised again
        raise _of_store(locations, request.output, error) or error from None


def _of_store(locations: Locations, output: str, error: Exception) -> BaseException | None:
    """What the error says of the store that the output is in; None when the output is in none, or that is not to be found."""
    try:
        return refusal(locations.path(output), error)
    except JobError:
        return None


def _failed(reason: JobReason, message: str) -> int:
    print(json.dumps({"error": message, "reason": reason}))
    return 1
