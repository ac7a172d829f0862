"""A run that left rows unlabelled because they break the contract is a condition, and stops nothing (F3, spec.schemaPolicy)."""

from labelplane.api.label_job import Run
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition


def rows_quarantined(run: Run | None) -> tuple[DomainCondition, ...]:
    """The condition while the last run has set rows apart, by column, what and count."""
    if run is None or run.quarantine is None:
        return ()
    found = run.quarantine
    named = "; ".join(f"column {one.column}: {one.count} {one.what}" for one in found.breaches)
    message = f"{found.rows} of {found.of_rows} rows break the contract and have no label: {named}: they are in {found.uri}: correct the data, or the set's spec.schema"
    return (DomainCondition(ConditionType.ROWS_QUARANTINED, ControlReason.ROWS_QUARANTINED, message),)
