"""A run beside the reference of its model version: the differences that are no chance, the largest first."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labeljob.contract.drift import DRIFT_LIMIT, DriftKind, Shift
from labeljob.drift.measures import is_beyond_chance, population_stability
from labeljob.drift.reference import Reference, functions_of
from labeljob.drift.sample import RowSample
from labeljob.votes import FloatArray, IntArray

CONFIDENCE_GROUPS = 10
LEAST = {"column": 0.01, "confidence": 0.01, "function": 0.005, "label": 0.005}  # smaller ones are of no interest to anybody


@dataclass(frozen=True)
class _Comparison:
    kind: DriftKind
    name: str
    size: float
    counts: IntArray
    reference: IntArray


def shifts(reference: Reference, run: Reference, sample: RowSample) -> list[Shift]:
    """What has moved; at most DRIFT_LIMIT, each kind's largest before any kind's second.

    Args:
        reference: of the model version.
        run: the same figures of the run; its columns are counted from `sample`.
    """
    found = [*_columns(reference, sample), *_functions(reference, run), *_labels(reference, run), *_confidence(reference, run)]
    beyond = [one for one in found if one.size >= LEAST[one.kind] and is_beyond_chance(one.counts, one.reference, len(found))]
    beyond.sort(key=lambda one: (-one.size, one.name))
    places = [sum(other.kind == one.kind for other in beyond[:place]) for place, one in enumerate(beyond)]
    chosen = [one for _, one in sorted(zip(places, beyond, strict=True), key=lambda pair: pair[0])]
    return [Shift(kind=one.kind, name=one.name, size=round(one.size, 4)) for one in chosen[:DRIFT_LIMIT]]


def _columns(reference: Reference, sample: RowSample) -> Iterator[_Comparison]:
    rows = sample.table()
    for name, bins in reference.columns.items():
        counts, before = bins.count(rows, name), np.asarray(bins.counts)
        yield _Comparison("column", name, population_stability(counts, before), counts, before)


def _functions(reference: Reference, run: Reference) -> Iterator[_Comparison]:
    """The largest change of a rate: of votes for a class, for several, against a class, or of any vote at all."""
    now = functions_of(run)
    for name, rates in functions_of(reference).items():
        if name in now and len(now[name]) == len(rates):
            yield _share("function", name, _with_sum(now[name]), run.rows, _with_sum(rates), reference.rows)


def _labels(reference: Reference, run: Reference) -> Iterator[_Comparison]:
    for name, share in reference.label_distribution.items():
        if reference.labelled and run.labelled:
            yield _share("label", name, np.array([run.label_distribution.get(name, 0.0)]), run.labelled, np.array([share]), reference.labelled)


def _confidence(reference: Reference, run: Reference) -> Iterator[_Comparison]:
    """Tenths of the reference's covered rows, as far as whole bins make them."""
    if not (sum(reference.confidences) and sum(run.confidences)):
        return
    before, now = np.asarray(reference.confidences), np.asarray(run.confidences)
    reached = np.cumsum(before) / before.sum()
    groups = np.minimum(np.floor(np.concatenate([[0.0], reached[:-1]]) * CONFIDENCE_GROUPS + 1e-9), CONFIDENCE_GROUPS - 1).astype(np.int64)
    counts, earlier = (np.bincount(groups, weights=one, minlength=CONFIDENCE_GROUPS).astype(np.int64) for one in (now, before))
    used = (counts + earlier) > 0
    yield _Comparison("confidence", "", population_stability(counts[used], earlier[used]), counts[used], earlier[used])


def _share(kind: DriftKind, name: str, now: FloatArray, rows: int, before: FloatArray, rows_before: int) -> _Comparison:
    place = int(np.argmax(np.abs(now - before)))
    counts, earlier = _two(now[place], rows), _two(before[place], rows_before)
    return _Comparison(kind, name, float(abs(now[place] - before[place])), counts, earlier)


def _two(share: float, rows: int) -> IntArray:
    """Rows with and without."""
    some = round(share * rows)
    return np.array([some, rows - some], dtype=np.int64)


def _with_sum(rates: FloatArray) -> FloatArray:
    return np.append(rates, min(1.0, float(rates.sum())))
