"""Objectives of the labels: missing one is a condition, and stops nothing (M1, M2)."""

from labelplane.api.label_job import LabelJobSpec, Metrics
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

DEFAULT_COVERAGE = 0.9
DEFAULT_CONFLICT_RATE = 0.1


def missed_objectives(spec: LabelJobSpec, metrics: Metrics | None) -> tuple[DomainCondition, ...]:
    """Conditions for coverage below and conflict above what is wanted."""
    if metrics is None:
        return ()
    given = spec.objectives
    coverage = DEFAULT_COVERAGE if given is None or given.coverage is None else given.coverage
    conflict = DEFAULT_CONFLICT_RATE if given is None or given.conflict_rate is None else given.conflict_rate
    missed: list[DomainCondition] = []
    if metrics.coverage is not None and metrics.coverage < coverage:
        text = f"functions vote on {metrics.coverage:.1%} of the rows, the objective is {coverage:.1%}: look at the uncovered rows in the report"
        missed.append(DomainCondition(ConditionType.COVERAGE_LOW, ControlReason.COVERAGE_LOW, text))
    if metrics.conflict_rate is not None and metrics.conflict_rate > conflict:
        text = f"votes differ on {metrics.conflict_rate:.1%} of the covered rows, the objective is {conflict:.1%}: look at the top conflicting pairs in the report"
        missed.append(DomainCondition(ConditionType.CONFLICT_HIGH, ControlReason.CONFLICT_HIGH, text))
    return tuple(missed)
