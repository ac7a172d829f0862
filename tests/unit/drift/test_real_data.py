"""F4, X3: what has not moved raises no alarm, and what has is named."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.drift import Shift
from labeljob.drift.comparison import shifts
from labelplane.api.label_job import DriftLimits
from labelplane.plan.drift import beyond
from tests.unit.drift.mails import figures, mails, sample_of

NAMES = [f"f{place}" for place in range(54)]
RESAMPLES = 1000


def halves():
    rows, votes = mails()
    order = np.random.default_rng(3).permutation(len(votes))
    return [(rows.take(pa.array(half)), votes[half]) for half in np.array_split(order, 2)]


def test_a_thousand_resamples_that_have_not_moved_raise_at_most_ten_alarms():
    """Each is 400 mails out of 1,400 that the reference has not seen: 9 columns, 54 functions, 2 classes and confidence are compared."""
    (known, known_votes), (rows, votes) = halves()
    reference, rng, alarms = figures(known, known_votes, NAMES, sample_of(known)), np.random.default_rng(4), []
    for _ in range(RESAMPLES):
        chosen = rng.choice(len(votes), 400, replace=False)
        part = rows.take(pa.array(chosen))
        found = beyond(DriftLimits(), shifts(reference, figures(part, votes[chosen], NAMES), sample_of(part)))
        alarms += [found] if found else []
    assert len(alarms) <= RESAMPLES / 100, alarms


def test_a_function_that_votes_five_points_more_is_found():
    """One of a hundred, on 5,000 rows: at least 95 of 100 times, and no other is blamed."""
    rng, found = np.random.default_rng(5), 0
    rates = rng.uniform(0.02, 0.4, 100)
    names = [f"f{place}" for place in range(100)]
    for trial in range(100):
        moved = trial % 100
        reference, now = (votes_at(rng, rates + (np.arange(100) == moved) * shift, rows) for shift, rows in ((0.0, 20_000), (0.05, 5_000)))
        named = beyond(DriftLimits(), shifts(rates_of(reference, 20_000, names), rates_of(now, 5_000, names), sample_of(mails()[0].slice(0, 0))))
        found += [shift.name for shift in named] == [names[moved]]
    assert found >= 95


def votes_at(rng: np.random.Generator, rates: np.ndarray, rows: int) -> np.ndarray:
    return rng.binomial(rows, rates) / rows


def rates_of(rates: np.ndarray, rows: int, names: list[str]):
    from labeljob.drift.reference import Reference

    return Reference(rows=rows, vote_rates={name: {"normal": 0.0, "risky": float(rate)} for name, rate in zip(names, rates, strict=True)})


def test_columns_that_moved_are_named_each_by_its_own_measure():
    """Numbers by quantile, texts that repeat by value, texts that do not by length; what is sensitive, known later, a time or the id is not looked at."""
    (known, known_votes), (rows, votes) = halves()
    reference = figures(known, known_votes, NAMES, sample_of(known))
    assert {name: bins.kind for name, bins in reference.columns.items()} == {
        "subject": "lengths", "list_id": "categories", "link_domain": "categories", "links": "quantiles", "html": "categories",
        "exclamations": "quantiles", "capitals_share": "quantiles", "teacher_spam": "quantiles",
    }  # fmt: skip
    longer = pc.binary_join_element_wise(rows["subject"], rows["subject"], " ")
    nulls = pa.array([None] * len(rows), pa.string())
    moved = rows.set_column(rows.schema.get_field_index("subject"), "subject", longer)
    moved = moved.set_column(moved.schema.get_field_index("link_domain"), "link_domain", nulls)
    moved = moved.set_column(moved.schema.get_field_index("capitals_share"), "capitals_share", pc.multiply(rows["capitals_share"], 2.0))
    found = shifts(reference, figures(rows, votes, NAMES), sample_of(moved))
    large = {shift.name for shift in found if shift.kind == "column" and shift.size > 0.2}
    assert large == {"subject", "link_domain", "capitals_share"}
    assert all(isinstance(shift, Shift) for shift in found)
