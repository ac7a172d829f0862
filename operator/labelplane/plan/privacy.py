"""Sensitive data: which Secret a job needs, and columns that look like personal data, which is a condition that stops nothing (F5)."""

from collections.abc import Sequence

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.privacy import PrivacyFinding, SecretKeyRef
from labelplane.api.reasons import ConditionType, ControlReason
from labelplane.plan.actions import DomainCondition

ADVICE = "declare such a column with sensitive: drop or hash, or with sensitive: none where all may see it"


def secrets_of(function_set: FunctionSet) -> tuple[SecretKeyRef, ...]:
    """The key that the set's columns are hashed with, if any are."""
    ref = function_set.schema_.hash_key_ref
    return (ref,) if ref is not None and function_set.schema_.hashed else ()


def suspected(findings: Sequence[PrivacyFinding]) -> tuple[DomainCondition, ...]:
    """The condition while the data of what serves looks like this."""
    if not findings:
        return ()
    named = "; ".join(f"column {one.column}: {one.share:.1%} of {one.sampled} sampled values {_verb(one)}" for one in findings)
    return (DomainCondition(ConditionType.PRIVACY_SUSPECTED, ControlReason.PRIVACY_SUSPECTED, f"{named}; {ADVICE}"),)


def _verb(finding: PrivacyFinding) -> str:
    return f"{'match' if finding.how == 'is' else 'hold'} the pattern {finding.pattern}"
