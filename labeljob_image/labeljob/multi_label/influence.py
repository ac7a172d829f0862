"""What each function does to the label sets of all rows: the labels without it, from distinct rows, without a fit (O6, X19).

    answers of a class, one function left out -> P(class) -> above 1/2?      for each class whose task the function is in
    a row's labels change when one of its answers does, or nobody else votes on it

As `label_model.influence`, of which it asks each class's model: calibration and fallbacks play no part.
"""

from collections.abc import Sequence

import numpy as np

from labeljob.label_model.influence import PATTERNS, left_out
from labeljob.label_model.model import FittedLabelModel
from labeljob.labelled import Voters
from labeljob.multi_label.fitting import Reduced
from labeljob.multi_label.labelling import task_posterior
from labeljob.multi_label.tasks import Task
from labeljob.scores import TIE
from labeljob.votes import ABSTAIN, FloatArray


def set_flips(models: Sequence[FittedLabelModel], tasks: Sequence[Task], voters: Voters, rows: Reduced) -> FloatArray:
    """Share of the rows that would have other labels, or none, had a function not been asked, float64 [n_functions]; NaN for fallbacks and of no rows."""
    chosen = slice(None, None, -(-len(rows.counts) // PATTERNS) or 1)
    votes, levels = rows.votes[chosen], None if rows.levels is None else rows.levels[chosen]
    flips = np.full(votes.shape[1], np.nan)
    if not len(votes):
        return flips
    spoke = votes[:, voters.regular] != ABSTAIN
    others = spoke.sum(axis=1, keepdims=True) - spoke > 0
    changed = np.zeros(votes.shape, dtype=np.bool_)
    for model, task in zip(models, tasks, strict=True):
        before = task_posterior(model, task, votes, levels) > 0.5 + TIE
        answers, outcomes = task.ballots(votes, levels, silence_answers=model.algorithm != "majority-vote")
        for place, after in zip(task.functions, left_out(model, np.column_stack([answers, outcomes]).astype(np.int16)), strict=True):
            changed[:, place] |= (after[:, 1] > 0.5 + TIE) != before
    counts = rows.counts[chosen] / rows.counts[chosen].sum()
    flips[voters.regular] = counts @ np.where(others, changed[:, voters.regular] & spoke.any(axis=1, keepdims=True), spoke)
    return flips
