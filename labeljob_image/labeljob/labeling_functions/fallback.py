"""fallback: votes only where no other function does."""

from collections.abc import Sequence

import numpy as np

from labeljob.votes import ABSTAIN, Votes


def mask_fallbacks(votes: Votes, fallback: Sequence[bool]) -> Votes:
    """The votes with fallbacks silenced wherever a function that is no fallback votes; the input is not changed.

    Args:
        votes: int8 [n_rows, n_functions].
        fallback: per function, whether it is a fallback.
    Returns:
        int8 [n_rows, n_functions].
    """
    is_fallback = np.asarray(fallback, dtype=bool)
    if not is_fallback.any():
        return votes
    covered = (votes[:, ~is_fallback] != ABSTAIN).any(axis=1)
    masked: Votes = np.where(covered[:, None] & is_fallback[None, :], np.int8(ABSTAIN), votes)
    return masked
