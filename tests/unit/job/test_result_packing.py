"""A result always fits a pod's termination message, and what a decision needs of it is always in it (DESIGN 4.6)."""

import json
from typing import Any

import pytest

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.drift import DRIFT_LIMIT, Shift
from labeljob.contract.privacy import FINDINGS, PrivacyFinding
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import FUNCTION_LIMIT, MESSAGE_BYTES, Commit, Failure, FunctionColumns, JobResult, LabelResult
from labeljob.contract.result_packing import pack


def columns(count: int) -> FunctionColumns:
    """Function 7 errs, all others are fine."""
    same: dict[str, Any] = {name: [123] * count for name in ("coverage", "overlaps", "conflicts", "estimated_accuracy", "empirical_accuracy")}
    return FunctionColumns(polarity=["0.1"] * count, error_rate=[900 if place == 7 else 0 for place in range(count)], weight=[1.234567891] * count, **same)


def labelled(functions: int, classes: int) -> JobResult:
    pin = DatasetPin(uri="pvc://lake/" + "e" * 200, format="delta", table_id="t" * 36, version=3, digest="d" * 71)
    commit = Commit(
        sequence=4, run_digest="r" * 71, run="n" * 57, table_id="o" * 36, version=9, content_digest="c" * 71, started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:00Z", data=pin, model_version=2, model_sha256="m" * 71, function_set_digest="f" * 71, image="i" * 200,
        metrics={"rows": 1e6, "coverage": 0.987654321}, label_distribution={f"{place:03d}{'x' * 60}": 1 / classes for place in range(classes)},
        drift=[Shift(kind="column", name=f"{place}{'y' * 62}", size=0.1234) for place in range(DRIFT_LIMIT)],
        privacy=[PrivacyFinding(column=f"{place}{'c' * 60}", pattern="payment-card", how="holds", share=0.1234, sampled=10_000) for place in range(FINDINGS)],
    )  # fmt: skip
    return JobResult(build="b" * 71, label=LabelResult(commit=commit, functions=columns(functions)))


@pytest.mark.parametrize(("functions", "classes"), [(1, 2), (40, 10), (100, 127), (200, 127), (200, 2)])
def test_a_run_of_any_size_fits(functions: int, classes: int) -> None:
    """Pins and digests whole; of the functions the worst, and never more than a hundred."""
    given = labelled(functions, classes)
    packed = pack(given)
    assert len(packed) <= MESSAGE_BYTES
    back, made = JobResult.model_validate_json(packed).label, given.label
    assert back is not None
    assert made is not None
    left_out = {"metrics", "label_distribution", "drift", "privacy"}
    for listed, whole, least in ((back.commit.drift, made.commit.drift, 3), (back.commit.privacy, made.commit.privacy, 2)):
        assert listed == whole[: len(listed)]
        assert len(listed) >= least
    assert back.commit.model_dump(exclude=left_out) == made.commit.model_dump(exclude=left_out)
    assert back.commit.metrics["coverage"] == 0.987654
    shown = back.functions
    assert len(shown.coverage) <= FUNCTION_LIMIT
    if functions > 7 and shown.coverage:
        assert 900 in shown.error_rate
        assert (shown.index or list(range(functions)))[shown.error_rate.index(900)] == 7


@pytest.mark.parametrize("text", ["a" * 2048, "é" * 2048, "😀" * 2048, '"\\\n' * 680])
def test_a_failure_of_any_length_fits(text: str) -> None:
    """The reason is never cut; the message from its end."""
    packed = pack(JobResult(build="b" * 71, failure=Failure(reason=JobReason.SCHEMA_BROKEN, message=text)))
    assert len(packed) <= MESSAGE_BYTES
    failure = JobResult.model_validate(json.loads(packed)).failure
    assert failure is not None
    assert failure.reason is JobReason.SCHEMA_BROKEN
    assert text.startswith(failure.message)
    assert len(failure.message) >= 200
