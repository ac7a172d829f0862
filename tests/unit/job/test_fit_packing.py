"""A result fits a pod's termination message, and what is cut first matters least."""

import json
import random

import pytest

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.result import MESSAGE_BYTES, FitResult, FunctionColumns, JobResult, ModelVersion
from labeljob.contract.result_packing import pack


def result(functions: int) -> JobResult:
    """A fit of so many functions with figures of full length."""
    draw = random.Random(0)
    shares = lambda: [draw.randint(100, 999) for _ in range(functions)]  # noqa: E731
    columns = FunctionColumns(
        polarity=["0.1"] * functions,
        coverage=shares(),
        overlaps=shares(),
        conflicts=shares(),
        error_rate=[0] * functions,
        estimated_accuracy=shares(),
        accuracy_low=shares(),
        accuracy_high=shares(),
        empirical_accuracy=shares(),
        weight=[round(draw.uniform(-3, 3), 4) for _ in range(functions)],
    )
    version = ModelVersion(
        version=12,
        fit_digest="a" * 64,
        sha256="b" * 64,
        function_set_digest="c" * 64,
        data=DatasetPin(uri="pvc://lake/events", format="delta", version=3, digest="d" * 64, table_id="e" * 36),
        image="registry.example/labeljob@sha256:" + "f" * 64,
        build="0" * 64,
        algorithm="committee",
        why="w" * 150,
        iterations=100,
        converged=True,
        fitted_at="2026-11-24T00:00:00Z",
        metrics=dict.fromkeys(("rows", "coverage", "conflictRate", "meanConfidence"), 0.123456789),
    )
    return JobResult(build="0" * 64, fit=FitResult(version=version, functions=columns))


@pytest.mark.parametrize(("functions", "with_intervals", "least"), [(5, True, 5), (40, True, 40), (70, False, 70), (100, False, 50), (200, False, 50)])
def test_figures_of_functions_fit_and_intervals_go_before_functions(functions, with_intervals, least):
    """G6: at most 4,096 bytes; every column that is left has one value for each function that is named."""
    data = pack(result(functions))
    assert len(data) <= MESSAGE_BYTES
    columns = JobResult.model_validate(json.loads(data)).fit.functions
    kept = len(columns.coverage)
    assert kept >= least
    assert bool(columns.accuracy_low) == with_intervals
    lists = [values for values in columns.wire().values() if values]
    assert {len(values) for values in lists} == {kept}
    if columns.index is not None:
        assert len(columns.index) == kept < functions
