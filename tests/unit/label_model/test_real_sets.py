"""Every algorithm on real votes, against majority vote and the best known version of the same model. Skips where the sets are absent."""

import numpy as np
import pytest

from benchmarks.label_models.scoring import average_precision, f1
from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.scores import log_loss
from tests.unit.label_model.generators import expected_accuracy, vote_set

SETS = ("barzan", "bluebird", "dog", "rte", "sms", "sp", "tennis", "weather", "zencrowd-us")
TWO_CLASSES = tuple(name for name in SETS if name not in ("dog", "weather"))
# Mean accuracy and log loss (nats, p clipped to 1e-15) over the sets: Snorkel 0.10, FlyingSquid (two classes only), crowd-kit 1.4.2.
PEERS = {"generative": (0.858, 1.128, SETS), "triplet": (0.848, 0.793, TWO_CLASSES), "mace": (0.863, 1.287, SETS), "glad": (0.868, 1.300, SETS)}


@pytest.mark.parametrize("algorithm", PEERS)
def test_no_worse_than_the_peers_version_of_the_same_model(algorithm):
    """C3: within .005 of its mean accuracy; log loss is better, but for triplets, whose peer is hardly ever sure (ECE .21 against our .13)."""
    accuracy, loss, names = PEERS[algorithm]
    found = []
    for name in names:
        L, Y, classes = vote_set(name)
        P = posterior(fit_statistics(from_votes(L, classes), classes, algorithm=algorithm), L)
        use = (Y >= 0) & (L >= 0).any(axis=1)
        found.append((expected_accuracy(P, L, Y), log_loss(P[use], Y[use])))
    mean = np.mean(found, axis=0)
    assert mean[0] > accuracy - 0.005, found
    if algorithm != "triplet":
        assert mean[1] < loss, found


def test_auto_is_as_good_as_the_best_peer_of_each_set():
    """At least the mean of the best peers of each set (docs/benchmarks.md) less half a point; sms by accuracy, by F1 and by average precision."""
    found, losses, of_sms = [], [], (0.0, 0.0, 0.0)
    for name in SETS:
        L, Y, classes = vote_set(name)
        P = posterior(fit_statistics(from_votes(L, classes), classes), L)
        use = (Y >= 0) & (L >= 0).any(axis=1)
        losses.append(log_loss(P[use], Y[use]))
        accuracy = expected_accuracy(P, L, Y)
        found.append(accuracy)
        if name == "sms":
            of_sms = (accuracy, f1(P[use], Y[use]), average_precision(P[use, 1], Y[use] == 1))
    others = sum(found) - of_sms[0]
    means = [(others + sms) / len(SETS) for sms in of_sms]
    assert means[0] >= 0.8976 - 0.005, means
    assert means[1] >= 0.8882 - 0.005, means
    assert means[2] >= 0.8875 - 0.005, means
    assert np.mean(losses) < 0.385
