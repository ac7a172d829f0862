"""What two votes on a row say of their functions, without any guess of the class: where EM of `one-coin` starts, in one pass over the rows.

As in `moments`, two functions of advantages u and w over chance agree, beyond chance, u w of the time. Summed over all that vote beside it, a
function agrees u times the mean advantage of the others; that mean is taken over all votes, as if everybody voted beside everybody alike, which is
near enough for a start. Likewise a function votes for class k on 1/K + u (balance_k - 1/K) of its rows, which tells the balance.
"""

import numpy as np

from labeljob.label_model.algorithms.weighted_vote import LEAST_ADVANTAGE, MOST_ADVANTAGE, PRIOR_ADVANTAGE, PRIOR_VOTES, SHRINKAGE
from labeljob.label_model.statistics.histograms import add_histograms, by_function, empty_histograms, outcome_counts
from labeljob.label_model.statistics.weighted_votes import WeightedVotes
from labeljob.votes import BoolArray, FloatArray

EXACT_BITS = 52  # of whole numbers in float64, and one to spare
TURNS = 3  # of solving for advantages after a first guess; each halves what is wrong with them
LEAST_SHARE = 0.25  # of its share of the votes: a class is not thought rarer than that to begin with


def agreed_accuracies(rows: WeightedVotes, sided: BoolArray, prior_accuracy: float | None) -> tuple[FloatArray, float]:
    """(accuracy of each function float64 [n_functions], above random and below 1; accuracy of a vote before anything is known of its function).

    How often a one-sided function agrees says which class it names, not how right it is: it gets that of all votes.

    Args:
        sided: bool [n_functions], functions that name one class only. prior_accuracy: the pooled accuracy, when it is given.
    """
    classes = rows.packed.outcomes - 1
    beside = votes_beside(rows).reshape(len(sided), -1)
    votes = rows.outcomes[:, 1:].sum(axis=1)
    pairs = beside.sum(axis=1) - votes
    beyond = (classes * (beside[:, :: classes + 1].sum(axis=1) - votes) - pairs) / (classes - 1)
    squared = (float(beyond.sum()) + PRIOR_VOTES * PRIOR_ADVANTAGE**2) / (float(pairs.sum()) + PRIOR_VOTES)
    pooled = min(max(squared, LEAST_ADVANTAGE**2), MOST_ADVANTAGE**2) ** 0.5
    found = _advantages((beyond + SHRINKAGE * pooled**2) / (pairs + SHRINKAGE), votes, pooled)
    found[sided] = pooled
    return (1 + found * (classes - 1)) / classes, prior_accuracy or (1 + pooled * (classes - 1)) / classes


def votes_beside(rows: WeightedVotes) -> FloatArray:
    """Votes of its row for each class (axis 2), its own among them, summed over a function's votes for each (axis 1); float64 [n_functions, n_classes, n_classes]."""
    packed, counts = rows.packed, rows.counts
    classes = packed.outcomes - 1
    base = 2.0 ** (EXACT_BITS // classes)
    if rows.total * packed.layout.columns >= base or not (counts == np.floor(counts)).all():
        return outcome_counts(packed, packed.tallies * counts)[:, 1:]
    left = empty_histograms(packed, 1)  # whole numbers: the classes are summed as digits of one
    add_histograms(packed, slice(None), (packed.tallies_in_one(base) * counts)[None], left)
    digits = list[FloatArray]()
    for _ in range(classes - 1):
        rest = np.floor(left / base)
        digits.append(left - rest * base)
        left = rest
    return by_function(packed, np.concatenate([*digits, left], axis=1))[:, 1:]


def _advantages(agreeing: FloatArray, votes: FloatArray, pooled: float) -> FloatArray:
    """Advantages u of which u_i times the others' mean is `agreeing`; all float64 [n_functions]."""
    others = np.maximum(votes.sum() - votes, 1.0)
    found = np.minimum(np.maximum(agreeing / pooled, LEAST_ADVANTAGE), MOST_ADVANTAGE)
    for _ in range(TURNS):
        cast = found * votes
        mean = np.maximum((cast.sum() - cast) / others, LEAST_ADVANTAGE)
        found = np.sqrt(found * np.minimum(np.maximum(agreeing / mean, LEAST_ADVANTAGE), MOST_ADVANTAGE))
    return found


def balance_of_votes(vote_counts: FloatArray, accuracies: FloatArray, sided: BoolArray) -> FloatArray | None:
    """Class balance, float64 [n_classes], by least squares over functions that name several classes; None where there is none.

    Args:
        vote_counts: float64 [n_functions, n_classes], votes for each class. accuracies: float64 [n_functions]. sided: as of `agreed_accuracies`.
    """
    classes = vote_counts.shape[1]
    votes = vote_counts.sum(axis=1)
    weights = np.where(sided, 0.0, (classes * accuracies - 1) / (classes - 1))
    information = float(votes @ weights**2)
    if information <= 0:
        return None
    told = 1 / classes + (weights @ vote_counts - float(weights @ votes) / classes) / information
    balance = np.maximum(told, LEAST_SHARE * (vote_counts.sum(axis=0) + 1) / (votes.sum() + classes))
    return np.asarray(balance / balance.sum())
