"""A `Bench` as `fit_statistics` makes it, for tests of what is fitted from one."""

import numpy as np

from labeljob.label_model import from_votes
from labeljob.label_model.fitting.fits import Bench


def bench_of(L, classes, evidence=False, pooled=0.7, balance=None):
    """All abstains read alike; nothing is inferred."""
    statistics = from_votes(L, classes)
    counts = np.stack([statistics.counts.astype(float) @ (statistics.patterns == k) for k in range(classes)], axis=1)
    functions = statistics.functions
    return Bench(statistics, counts, np.full(functions, evidence), np.full(functions, pooled), pooled, balance, 200, 0.0, 0)
