"""EM for any mixture whose hidden states give each function's outcomes log probabilities: the loop that `mace` and `glad` share.

Rounds are mixed (`acceleration`), and the penalised objective never falls: every prior is fixed before EM starts, every M step maximises what the E step
expects, and a mixture that lowers the objective is dropped for the plain step.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.em.acceleration import Anderson
from labeljob.label_model.em.climbing import ROUNDING
from labeljob.label_model.em.expectation import Expected
from labeljob.label_model.em.state_expectation import StateExpectation
from labeljob.votes import BoolArray, FloatArray

MOST_LOGIT = float(np.log(1 / FLOOR))


@dataclass(frozen=True)
class Step:
    """Parameters as the E step reads them.

    Attributes:
        log_prior: float64 [n_states]. log_weights: float64 [n_functions, 1 + n_classes, n_states].
        log_density: of the prior at these parameters, up to a constant, in nats.
    """

    log_prior: FloatArray
    log_weights: FloatArray
    log_density: float


class Mixture(Protocol):
    """A model that EM can fit. Its parameters are free numbers, float64 [n], which may be mixed."""

    def m_step(self, expected: Expected, before: FloatArray | None) -> FloatArray:
        """Parameters given the expected rows of each state and outcome; none worse than `before` under them."""

    def step(self, parameters: FloatArray) -> Step:
        """What they say of outcomes."""


@dataclass(frozen=True)
class Ended:
    """Where EM ended: the last step, and the objective after each iteration that was kept, in nats; iterations: E steps."""

    step: Step
    iterations: int
    converged: bool
    trace: tuple[float, ...]


def run(expectation: StateExpectation, model: Mixture, first: Expected, max_iterations: int, tolerance: float) -> Ended:
    """EM from expected rows until the objective rises by at most `tolerance` nats a row."""
    here, plain, mixer = model.m_step(first, None), None, Anderson()
    kept, trace, converged, iterations = model.step(here), list[float](), False, 0
    while not converged and iterations < max_iterations:
        step, iterations = model.step(here), iterations + 1
        expected, likelihood = expectation.of(step.log_prior, step.log_weights)
        value = likelihood + step.log_density
        if plain is not None and value < trace[-1] - ROUNDING * abs(trace[-1]):
            here, plain = plain, None
            mixer.forget()
            continue
        kept, after = step, model.m_step(expected, here)
        trace.append(value)
        converged = len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * expectation.total
        mixed = mixer.propose(here, after)
        here, plain = (after, None) if mixed is None else (mixed, after)
    return Ended(kept, iterations, converged, tuple(trace))


@dataclass(frozen=True)
class Propensity:
    """How often functions vote given the class, where their abstain is evidence; nothing where it is missing.

    Attributes:
        evidence: bool [n_functions]. voting, abstaining: float64 [n_functions, n_classes], pseudo-rows.
    """

    evidence: BoolArray
    voting: FloatArray
    abstaining: FloatArray

    def learned(self, votes: FloatArray, rows: FloatArray) -> FloatArray:
        """Log-odds of voting, float64 [n_functions, n_classes], 0 where missing.

        Args:
            votes: float64 [n_functions, n_classes], expected votes on rows of each class; rows: float64 [n_classes], expected rows.
        """
        rate = np.clip((votes + self.voting) / (rows + self.voting + self.abstaining), FLOOR, 1 - FLOOR)
        return np.where(self.evidence[:, None], np.log(rate) - np.log1p(-rate), 0.0)

    def read(self, odds: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """(log of voting, log of not voting: float64 [n_functions, n_classes], 0 where missing; log prior density) at log-odds likewise."""
        odds = np.clip(odds, -MOST_LOGIT, MOST_LOGIT)
        voting, silent = (np.where(self.evidence[:, None], -np.logaddexp(0.0, signed), 0.0) for signed in (-odds, odds))
        return voting, silent, float((self.voting * voting + self.abstaining * silent).sum())
