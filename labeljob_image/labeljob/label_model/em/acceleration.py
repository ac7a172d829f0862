"""Anderson acceleration of a fixed-point iteration, safeguarded by its caller.

From the last steps x_i -> g_i = G(x_i) the next point is the mixture of the g_i whose residual g_i - x_i is least, in one least-squares
solve: Walker & Ni (2011), "Anderson Acceleration for Fixed-Point Iterations", SIAM J. Numer. Anal. 49(4), equation 2.2 (type II).
EM converges linearly; with a short memory it needs about half the steps: Henderson & Varadhan (2019), "Damped Anderson Acceleration With
Restarts and Monotonicity Control for Accelerating EM and EM-like Algorithms", J. Comput. Graph. Stat. 28(4), whose guard (a step that
lowers the objective is taken back) is the one `climbing.run_em` applies.
"""

import numpy as np

from labeljob.votes import FloatArray

MEMORY = 3  # earlier steps that enter a mixture
RIDGE = 1e-8  # relative: keeps the solve finite when steps are nearly parallel


class Anderson:
    """Remembers steps and proposes where to go next. Deterministic; coordinates that every step leaves alone stay as they are."""

    def __init__(self) -> None:
        self._after: list[FloatArray] = []
        self._residuals: list[FloatArray] = []

    def forget(self) -> None:
        """Start anew: the past steps led astray."""
        self._after, self._residuals = [], []

    def propose(self, before: FloatArray, after: FloatArray) -> FloatArray | None:
        """Record the step `before` -> `after` (float64 [n]) and mix it with the last ones; None when there is none to mix with."""
        self._after = [*self._after[-MEMORY:], after]
        self._residuals = [*self._residuals[-MEMORY:], after - before]
        if len(self._after) == 1:
            return None
        turns = self._residuals[-1] - np.array(self._residuals[:-1])
        gram = turns @ turns.T
        scale = gram.diagonal()
        if not (scale > 0).all():
            return None
        wanted = turns @ self._residuals[-1]
        if len(wanted) == 1:
            return np.asarray(after - wanted / (scale * (1 + RIDGE)) * (after - self._after[0]))
        gram[np.diag_indices(len(gram))] = scale * (1 + RIDGE)
        share = np.linalg.solve(gram, wanted)
        return np.asarray(after - share @ (after - np.array(self._after[:-1])))
