"""Latent-class models by EM: every row has a hidden class, every function a coin or a confusion, and perhaps some rows say nothing.

    p(row) = (1 - e) sum_k pi_k prod_j [ r_j(k) theta_j(vote_j | k) ] ^ d_j   +   e prod_j q(vote_j)

*Coin*: one accuracy a function, errors spread evenly over the other classes (Dawid & Skene 1979 with one parameter a function; Ghosh,
Kale & McAfee 2011). *Confusion*: Dawid & Skene's, equations 2.3 to 2.5, maximum a posteriori. `r` is how often a function votes given
the class, where its abstain is *evidence*; where it is *missing*, r drops out. `d` discounts functions that repeat one another: a power
likelihood (`dependence`). `e` is the share of *uninformative* rows, on which votes follow the pool's shares `q` whatever the class: hard
rows and spam keep doubt in the posterior instead of making every function look worse.

Priors are pseudo-votes and fixed before EM starts, so that the penalised objective never falls.
"""

from dataclasses import dataclass, replace

import numpy as np

from labeljob.label_model.em.known_rows import clamp, start_at
from labeljob.label_model.fitting.observed import Observed
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray

BALANCE_ROWS = 1.0  # pseudo-rows for each class in a learned class balance
PROPENSITY_ROWS = 5.0  # pseudo-rows at a function's own vote rate, for each class, unless a structure says otherwise
UNINFORMATIVE = (1.0, 19.0)  # pseudo-rows that say nothing, and that say something
FIRST_UNINFORMATIVE = 0.05
FLOOR = 1e-9


@dataclass(frozen=True)
class Structure:
    """What is assumed of the functions.

    Attributes:
        coin: one accuracy a function instead of a confusion.
        evidence: bool [n_functions], whose abstain is evidence.
        discount: float64 [n_functions] in (0, 1], exponents of the likelihood.
        prior: float64 [n_functions, n_classes, n_classes], pseudo-votes for a class (axis 1) given the class (axis 2).
        voting, abstaining: float64 [n_functions, n_classes], pseudo-rows of each class on which it votes and does not.
        balance: float64 [n_classes] when given, else learned.
        uninformative: whether some rows may say nothing; needs every abstain missing and no discount.
    """

    coin: bool
    evidence: BoolArray
    discount: FloatArray
    prior: FloatArray
    voting: FloatArray
    abstaining: FloatArray
    balance: FloatArray | None = None
    uninformative: bool = False


@dataclass(frozen=True)
class Parameters:
    """Learned values.

    Attributes:
        log_balance: float64 [n_classes].
        log_confusion: float64 [n_functions, n_classes, n_classes], log of a vote (axis 1) given the class (axis 2) and that it votes.
        propensity: float64 [n_functions, n_classes], probability of voting given the class.
        uninformative: share of rows that say nothing.
    """

    log_balance: FloatArray
    log_confusion: FloatArray
    propensity: FloatArray
    uninformative: float


@dataclass(frozen=True)
class LatentClasses:
    """Where EM ended: `log_prior` and `log_weights` as `hidden_states`, the classes of the patterns float64 [n_classes, n_patterns], nats."""

    parameters: Parameters
    log_prior: FloatArray
    log_weights: FloatArray
    posterior: FloatArray
    log_likelihood: float
    iterations: int
    converged: bool
    trace: tuple[float, ...]


def hidden_states(parameters: Parameters, structure: Structure, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(log prior [n_states], log weights [n_functions, 1 + n_classes, n_states]): the classes, then the uninformative state if there is one."""
    functions, classes = parameters.propensity.shape
    weights = np.zeros((functions, 1 + classes, classes))
    weights[:, 1:] = parameters.log_confusion
    rates = parameters.propensity[structure.evidence]
    weights[structure.evidence, 0] = np.log1p(-rates)
    weights[structure.evidence, 1:] += np.log(rates)[:, None, :]
    weights *= structure.discount[:, None, None]
    if not structure.uninformative:
        return parameters.log_balance, weights
    says_nothing = np.concatenate([[0.0], np.log(shares)])
    extra = np.broadcast_to(says_nothing[None, :, None], (functions, 1 + classes, 1))
    prior = np.append(parameters.log_balance + np.log1p(-parameters.uninformative), np.log(parameters.uninformative))
    return prior, np.concatenate([weights, extra], axis=2)


def run(observed: Observed, structure: Structure, start: FloatArray, max_iterations: int, tolerance: float) -> LatentClasses:
    """EM from `start`, a posterior float64 [n_classes, n_patterns], until the objective rises by at most `tolerance` nats a row."""
    classes, states = start.shape[0], _states(start_at(start, observed.known), structure)
    of_state = classes_of_states(classes, structure)
    trace, converged, parameters, likelihood = list[float](), False, None, 0.0
    while not converged and len(trace) < max_iterations:
        parameters = m_step(observed, states, structure)
        log_prior, log_weights = hidden_states(parameters, structure, observed.shares)
        states, evidence = clamp(*_e_step(observed, log_prior, log_weights), observed.known, of_state, observed.shares)
        likelihood = float(evidence @ observed.counts)
        trace.append(likelihood + log_prior_density(parameters, structure))
        converged = len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * float(observed.counts.sum())
    assert parameters is not None  # noqa: S101 at least one iteration
    posterior = states[:classes] + (states[classes:] * np.exp(parameters.log_balance)[:, None] if structure.uninformative else 0.0)
    posterior = start_at(posterior, observed.known)
    return LatentClasses(parameters, log_prior, log_weights, posterior, likelihood, len(trace), converged, tuple(trace))


def _states(start: FloatArray, structure: Structure) -> FloatArray:
    """A first posterior of the states, float64 [n_states, n_patterns], from one of the classes."""
    if not structure.uninformative:
        return start
    return np.vstack([start * (1 - FIRST_UNINFORMATIVE), np.full((1, start.shape[1]), FIRST_UNINFORMATIVE)])


def classes_of_states(classes: int, structure: Structure) -> IntArray:
    """int64 [n_states]; -1 for the state that says nothing of the class."""
    return np.append(np.arange(classes), [ABSTAIN] * structure.uninformative).astype(np.int64)


def taught(observed: Observed, structure: Structure, start: FloatArray) -> FloatArray:
    """The classes of the patterns by what the known rows alone teach, float64 [n_classes, n_patterns]: votes that mislead must not choose where EM starts.

    Args:
        start: like the answer, of which only the known rows are read.
    """
    given = 0.0 if observed.known is None else observed.known != ABSTAIN
    known_rows = replace(observed, counts=observed.counts * given, covered=observed.covered * given)
    plain = replace(structure, uninformative=False)
    return _e_step(observed, *hidden_states(m_step(known_rows, start_at(start, observed.known), plain), plain, observed.shares))[0]


def log_loss_of_known(observed: Observed, log_prior: FloatArray, log_weights: FloatArray, of_state: IntArray) -> float:
    """-log p(class | votes) in nats, summed over the rows whose class is known."""
    states, evidence = _e_step(observed, log_prior, log_weights)
    return float((evidence - clamp(states, evidence, observed.known, of_state, observed.shares)[1]) @ observed.counts)


def _e_step(observed: Observed, log_prior: FloatArray, log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(posterior of the states float64 [n_states, n_patterns], log p(row) float64 [n_patterns])."""
    joint = observed.log_sums(log_weights) + log_prior[:, None]
    top = joint.max(axis=0)
    scaled = np.exp(joint - top)
    total = scaled.sum(axis=0)
    return scaled / total, top + np.log(total)


def posterior_of_prior(observed: Observed, structure: Structure, balance: FloatArray) -> FloatArray:
    """Classes of the patterns as the prior alone reads them, float64 [n_classes, n_patterns]."""
    confusion = structure.prior / structure.prior.sum(axis=1, keepdims=True)
    propensity = structure.voting / (structure.voting + structure.abstaining)
    centre = Parameters(np.log(balance), np.log(np.maximum(confusion, FLOOR)), np.clip(propensity, FLOOR, 1 - FLOOR), 0.0)
    return _e_step(observed, *hidden_states(centre, structure, observed.shares))[0]


def m_step(observed: Observed, states: FloatArray, structure: Structure) -> Parameters:
    """The most probable parameters given the posterior of the states, float64 [n_states, n_patterns]."""
    classes = structure.prior.shape[1]
    expected = states[:classes] * observed.counts
    votes = observed.outcome_counts(expected)[:, 1:, :]
    mass = votes + structure.prior
    confusion = coin_confusion(mass) if structure.coin else mass / mass.sum(axis=1, keepdims=True)
    rows = expected.sum(axis=1) + structure.voting + structure.abstaining
    propensity = np.clip((votes.sum(axis=1) + structure.voting) / rows, FLOOR, 1 - FLOOR)
    return Parameters(_log_balance(observed, states, structure), np.log(np.maximum(confusion, FLOOR)), propensity, _uninformative(observed, states, structure))


def coin_confusion(mass: FloatArray) -> FloatArray:
    """Confusions of one accuracy a function from (pseudo-)votes, both float64 [n_functions, n_classes (vote), n_classes]."""
    classes = mass.shape[1]
    accuracy = np.einsum("jkk->j", mass) / mass.sum(axis=(1, 2))
    return coin_of(accuracy, classes)


def coin_of(accuracy: FloatArray, classes: int) -> FloatArray:
    """float64 [n_functions, n_classes, n_classes]: right with its accuracy, wrong classes alike."""
    confusion = np.empty((len(accuracy), classes, classes))
    confusion[:] = ((1 - accuracy) / (classes - 1))[:, None, None]
    diagonal = np.arange(classes)
    confusion[:, diagonal, diagonal] = accuracy[:, None]
    return confusion


def _log_balance(observed: Observed, states: FloatArray, structure: Structure) -> FloatArray:
    if structure.balance is not None:
        return np.log(structure.balance)
    classes = structure.prior.shape[1]
    weight = observed.counts if structure.evidence.any() else observed.covered
    rows = states[:classes] @ weight + BALANCE_ROWS
    return np.asarray(np.log(rows / rows.sum()))


def _uninformative(observed: Observed, states: FloatArray, structure: Structure) -> float:
    if not structure.uninformative:
        return 0.0
    nothing, something = UNINFORMATIVE
    return float((states[-1] @ observed.covered + nothing) / (observed.covered.sum() + nothing + something))


def log_prior_density(parameters: Parameters, structure: Structure) -> float:
    """log prior density of what is learned, up to a constant, in nats; each function's part carries its discount, as its votes do."""
    value = float((structure.prior * parameters.log_confusion * structure.discount[:, None, None]).sum())
    if structure.evidence.any():
        chosen = structure.evidence
        rate = parameters.propensity[chosen]
        part = structure.voting[chosen] * np.log(rate) + structure.abstaining[chosen] * np.log1p(-rate)
        value += float((part * structure.discount[chosen, None]).sum())
    if structure.balance is None:
        value += BALANCE_ROWS * float(parameters.log_balance.sum())
    if structure.uninformative:
        nothing, something = UNINFORMATIVE
        value += nothing * np.log(parameters.uninformative) + something * np.log1p(-parameters.uninformative)
    return value


def coin_structure(observed: Observed, evidence: BoolArray, discount: FloatArray, pooled: float, votes: float) -> Structure:
    """Coins, each with `votes` pseudo-votes at the pooled accuracy, and abstains at its own rate whatever the class."""
    classes = len(observed.shares)
    rates = np.repeat(observed.vote_rates[:, None], classes, axis=1)
    prior = coin_of(np.full(len(evidence), pooled), classes) * (votes / classes)
    return Structure(True, evidence, discount, prior, rates * PROPENSITY_ROWS, (1 - rates) * PROPENSITY_ROWS)
