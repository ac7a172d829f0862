"""Every algorithm on real votes, against majority vote and the best known version of the same model. Skips where the sets are absent."""

import numpy as np
import pytest

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
