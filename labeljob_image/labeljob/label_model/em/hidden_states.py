"""EM in plain rounds, which `subtypes` and `levels` share, and where it ends.

Their rounds are not mixed as those of `mixture` are: beliefs are no free numbers, and levels are to stop on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.mixture import Step
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.votes import FloatArray, IntArray


@dataclass(frozen=True)
class HiddenStates:
    """Where EM ended.

    Attributes:
        log_prior: float64 [n_states], log_weights: float64 [n_functions, 1 + n_classes, n_states], log parameters. classes: int64 [n_states].
        posterior: of the patterns' classes, float64 [n_classes, n_patterns].
        log_likelihood: of the rows, in nats. trace: the objective in nats after each iteration; it never falls.
    """

    log_prior: FloatArray
    log_weights: FloatArray
    classes: IntArray
    posterior: FloatArray
    log_likelihood: float
    converged: bool
    trace: tuple[float, ...]


def climb(
    expectation: StateExpectation,
    first: Expected,
    step_of: Callable[[Expected], Step],
    max_iterations: int,
    tolerance: float,
    finish: Callable[[FloatArray], FloatArray] = np.asarray,
) -> HiddenStates:
    """From expected rows until the objective rises by at most `tolerance` nats a row.

    Args:
        step_of: parameters given expected rows, no worse under them than those before.
        finish: the log prior that the posterior is of, from the last one.
    """
    expected, trace, converged = first, list[float](), False
    while not converged and len(trace) < max_iterations:
        step = step_of(expected)
        expected, likelihood = expectation.of(step.log_prior, step.log_weights)
        trace.append(likelihood + step.log_density)
        converged = len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * expectation.total
    log_prior = finish(step.log_prior)
    posterior = expectation.classes(log_prior, step.log_weights)
    return HiddenStates(log_prior, step.log_weights, expectation.of_state.astype(np.int64), posterior, likelihood, converged, tuple(trace))
