"""The verdicts of `labelplane validate` and `labelplane test`, printed."""

import json
import sys
from collections.abc import Iterable, Mapping

from labeljob.contract.result import CheckResult
from labelplane.cli.validate import Verdict


def show_verdicts(found: Mapping[str, Verdict], ignored: Iterable[str], *, as_json: bool) -> None:
    """Verdicts by `Kind/name` on stdout: a line for each problem, or ok; what was left out on stderr."""
    if as_json:
        print(json.dumps([{"resource": name, "problems": one.problems, "notes": one.notes} for name, one in found.items()], indent=2))
        return
    notes = [*ignored, *(f"{name}: {note}" for name, one in found.items() for note in one.notes)]
    print("".join(f"note: {note}\n" for note in notes), end="", file=sys.stderr)
    for name, one in found.items():
        print("\n".join(f"{name}: {problem}" for problem in one.problems) or f"{name}: ok{_counted(one.checked)}")


def _counted(checked: CheckResult | None) -> str:
    if checked is None:
        return ""
    tests = f"{checked.tests_passed} tests pass" if checked.tests_passed else "it has no tests"
    return f" ({checked.function_count} functions compile, {tests})"
