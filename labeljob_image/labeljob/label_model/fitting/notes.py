"""What the votes cannot support, in words: `<FitNote>: <text>`."""

from dataclasses import dataclass

import numpy as np

from labeljob.contract.reasons import FitNote
from labeljob.label_model.statistics.packing import PackedVotes
from labeljob.votes import FloatArray

ADVERSARIAL = 0.4  # share of votes by functions that are worse than chance, above which no guard against a flipped solution can be trusted
SAME = 0.995  # agreement with majority vote from which a fit says that it adds nothing


@dataclass(frozen=True)
class Judged:
    """Patterns whose labels are compared with majority vote's; counts: float64 [n_patterns], rows that each stands for."""

    packed: PackedVotes
    counts: FloatArray

    def same_as_majority(self, posterior: FloatArray) -> float:
        """Share of the rows whose likeliest class has a plurality of the votes; posterior: float64 [n_classes, n_patterns]."""
        tallies = self.packed.tallies
        best, voted, most = posterior[0].copy(), tallies[0].copy(), tallies[0].copy()  # of the likeliest class, the first of equals; of any
        for of_class, votes in zip(posterior[1:], tallies[1:], strict=True):
            np.copyto(voted, votes, where=of_class > best)
            np.maximum(best, of_class, out=best)
            np.maximum(most, votes, out=most)
        return float((voted == most) @ self.counts / max(float(self.counts.sum()), 1.0))


def adversarial_note(accuracies: FloatArray, votes: FloatArray, classes: int) -> tuple[str, ...]:
    """A note when more than ADVERSARIAL of the votes come from functions that are worse than chance.

    Args:
        accuracies: float64 [n_functions], NaN for one that never votes. votes: float64 [n_functions].
    """
    worse = float(votes[np.nan_to_num(accuracies, nan=1.0) < 1 / classes].sum() / max(float(votes.sum()), 1.0))
    if worse <= ADVERSARIAL:
        return ()
    text = f"{worse:.0%} of the votes come from functions that look worse than chance: then right and wrong cannot be told apart without gold"
    return (f"{FitNote.VOTES_ADVERSARIAL}: {text}",)


def worse_than_random(accuracies: FloatArray, votes: FloatArray, classes: int) -> bool:
    """Whether a vote is right less often than a guess: EM does not leave the mirror image of the solution, which a start may be; arguments as above."""
    return float(np.nan_to_num(accuracies) @ votes) * classes < float(votes.sum())


def no_gain_note(same: float) -> tuple[str, ...]:
    """A note when the share `same` of covered rows that get the label of majority vote is at least SAME."""
    text = f"{same:.1%} of the covered rows get the label of majority vote: these votes support nothing better"
    return (f"{FitNote.NO_GAIN}: {text}",) if same >= SAME else ()
