"""EM for any mixture whose hidden states give each function's outcomes log probabilities: the loop that `mace` and `glad` share.

The penalised objective never falls, because every prior is fixed before EM starts and every M step maximises what the E step expects.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeljob.label_model.algorithms.latent_class import FLOOR
from labeljob.label_model.em.known_rows import clamp
from labeljob.label_model.fitting.observed import Observed
from labeljob.label_model.statistics.packing import sum_tables
from labeljob.votes import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Step:
    """Parameters of one M step, as the E step reads them.

    Attributes:
        log_prior: float64 [n_states]. log_weights: float64 [n_functions, 1 + n_classes, n_states].
        log_density: of the prior at these parameters, up to a constant, in nats.
        parameters: what the next M step may start from.
    """

    log_prior: FloatArray
    log_weights: FloatArray
    log_density: float
    parameters: FloatArray


class Mixture(Protocol):
    """A model that EM can fit."""

    def m_step(self, states: FloatArray, before: Step | None) -> Step:
        """Parameters given the posterior of the states, float64 [n_states, n_patterns]; none worse than `before` under it."""


@dataclass(frozen=True)
class Ended:
    """Where EM ended: the last step, the states of the patterns float64 [n_states, n_patterns], and the objective after each iteration in nats."""

    step: Step
    states: FloatArray
    converged: bool
    trace: tuple[float, ...]


def run(observed: Observed, model: Mixture, states: FloatArray, classes: IntArray, max_iterations: int, tolerance: float) -> Ended:
    """EM from `states`, float64 [n_states, n_patterns], of these classes (int64 [n_states]), until the objective rises by at most `tolerance` nats a row."""
    step: Step | None = None
    states, _ = clamp(states, np.zeros(states.shape[1]), observed.known, classes, observed.shares)
    trace, converged = list[float](), False
    while not converged and len(trace) < max_iterations:
        step = model.m_step(states, step)
        joint = sum_tables(observed.packed, step.log_weights) + step.log_prior[:, None]
        top = joint.max(axis=0)
        scaled = np.exp(joint - top)
        total = scaled.sum(axis=0)
        states, evidence = clamp(scaled / total, top + np.log(total), observed.known, classes, observed.shares)
        trace.append(float(evidence @ observed.counts) + step.log_density)
        converged = len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * float(observed.counts.sum())
    assert step is not None  # noqa: S101 at least one iteration
    return Ended(step, states, converged, tuple(trace))


@dataclass(frozen=True)
class Propensity:
    """How often functions vote given the class, where their abstain is evidence; nothing where it is missing.

    Attributes:
        evidence: bool [n_functions]. voting, abstaining: float64 [n_functions, n_classes], pseudo-rows.
    """

    evidence: BoolArray
    voting: FloatArray
    abstaining: FloatArray

    def learned(self, votes: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """(log of voting, log of not voting: float64 [n_functions, n_classes], 0 where missing; log prior density).

        Args:
            votes: float64 [n_functions, n_classes], expected votes on rows of each class; rows: float64 [n_classes], expected rows.
        """
        rate = np.clip((votes + self.voting) / (rows + self.voting + self.abstaining), FLOOR, 1 - FLOOR)
        voting, silent = np.where(self.evidence[:, None], np.log(rate), 0.0), np.where(self.evidence[:, None], np.log1p(-rate), 0.0)
        return voting, silent, float((self.voting * voting + self.abstaining * silent).sum())
