"""How the processes end that answer the command line: with an answer or an error, and without an error's own words (F5)."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from labeljob.answering import answered, given_request
from labeljob.contract.reasons import JobReason
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.locations import Locations

ASKED = VersionsRequest(action="rollback", job="job", mounts=(), output="pvc://lake/out", app_id="app", artifacts="pvc://lake/model", version=0)
Answer = Callable[[VersionsRequest, Locations], Mapping[str, object]]


class Panic(BaseException):
    """As pyo3's, which is no Exception."""


def raising(error: BaseException) -> Answer:
    def answer(_request: VersionsRequest, _locations: Locations) -> Mapping[str, object]:
        raise error

    return answer


def ended(answer: Answer, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    """(exit code, what is on stdout); stderr is empty."""
    code = answered(lambda: ASKED, answer, "restoring")
    said = capsys.readouterr()
    assert said.err == ""
    found: dict[str, object] = json.loads(said.out)
    return code, found


def test_an_answer_and_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda request, _: {"version": request.version}, capsys) == (0, {"version": 0})
    refused = raising(JobError(JobReason.PIN_BROKEN, "files are gone: name a later version"))
    assert ended(refused, capsys) == (1, {"error": "files are gone: name a later version", "reason": "PinBroken"})


@pytest.mark.parametrize("error", [ValueError("planted"), Panic("planted")])
def test_what_nobody_foresaw_is_told_by_type_and_place(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ended(raising(error), capsys)
    assert (code, found["reason"]) == (1, "InternalError")
    assert re.fullmatch(rf"{type(error).__name__} while restoring, at .*test_answering.py:\d+ answer: report it with this line", str(found["error"]))


def test_an_answer_that_is_no_json_is_an_error_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda _request, _locations: {"rows": object()}, capsys)[1]["reason"] == "InternalError"


def test_an_interrupt_is_no_answer() -> None:
    with pytest.raises(KeyboardInterrupt):
        answered(lambda: ASKED, raising(KeyboardInterrupt()), "restoring")


def test_a_request_that_is_none_names_the_field_and_not_the_value(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps(ASKED.wire() | {"version": "planted"}))
    read = given_request(["--request", str(tmp_path / "request.json")], "labeljob.versions", VersionsRequest)
    with pytest.raises(JobError, match=r"^the request is not valid at version: ") as caught:
        read()
    assert "planted" not in caught.value.message
