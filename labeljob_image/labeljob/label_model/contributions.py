"""What each function's outcome adds to one row's posterior: "why this label?" (O6)."""

from typing import Any

import numpy as np

from labeljob.label_model.model import FittedLabelModel, Member, posterior, posterior_of_sums, prior_of_classes, votes_of
from labeljob.votes import ABSTAIN, FloatArray, IntArray

ORDERS = 8  # random orders of the functions, and each of them backwards


def contributions(model: FittedLabelModel, row: Any) -> FloatArray:
    """What each function's outcome on one row adds for each class, float64 [n_functions, n_classes].

    In log probability (nats): log(class_balance) plus the column sums is the log posterior, up to the normaliser. A log-linear model has one
    answer. A committee has not, because what a vote adds depends on the votes beside it: there it is the change that the outcome makes to the
    log posterior when outcomes are added one by one, averaged over ORDERS fixed orders and their reverses (the Shapley value by sampling:
    Castro, Gomez & Tejada 2009; antithetic: Mitchell et al. 2022); the sum is exact for any number of orders. For majority vote in shares of
    the vote: the column sums are the posterior.

    Args:
        row: [n_functions] votes.
    """
    votes = votes_of(model, np.asarray(row)[None, :])[0].astype(np.int64)
    if model.algorithm == "majority-vote":
        named = votes[:, None] == np.arange(model.cardinality)
        return np.asarray(named / max(np.count_nonzero(votes != ABSTAIN), 1))
    if model.coins is not None:
        return np.where(votes[:, None] == np.arange(model.cardinality), model.coins[:, None], 0.0)
    if not model.members:
        return np.asarray(model.log_weights[np.arange(model.functions), votes - ABSTAIN])
    return _averaged(model, votes)


def without_each(model: FittedLabelModel, row: Any) -> FloatArray:
    """The posterior of the row had each function not been asked, float64 [n_functions, n_classes]: exact for every model."""
    votes = votes_of(model, np.asarray(row)[None, :])[0].astype(np.int64)
    if model.algorithm == "majority-vote":
        asked = np.where(np.eye(model.functions, dtype=bool), ABSTAIN, votes)
        return posterior(model, asked)
    if model.coins is not None:
        added = contributions(model, votes)
        return posterior_of_sums(model, (added.sum(axis=0) - added).T).T
    result = np.zeros((model.functions, model.cardinality))
    for member in members_of(model):
        outcomes = member.log_weights[np.arange(model.functions), votes - ABSTAIN]
        result += member.share * classes_of(member, member.log_prior + outcomes.sum(axis=0) - outcomes, model.cardinality)
    return result


def members_of(model: FittedLabelModel) -> tuple[Member, ...]:
    """The committee; a log-linear model is a committee of one."""
    return model.members or (Member(model.algorithm, 1.0, np.log(model.class_balance), model.log_weights, np.arange(model.cardinality)),)


def _averaged(model: FittedLabelModel, votes: IntArray) -> FloatArray:
    random, added = np.random.default_rng(0), np.zeros((model.functions, model.cardinality))
    outcomes = [member.log_weights[np.arange(model.functions), votes - ABSTAIN] for member in model.members]
    for _ in range(ORDERS):
        order = random.permutation(model.functions)
        for one in (order, order[::-1]):
            path = np.zeros((model.functions + 1, model.cardinality))
            for member, outcome in zip(model.members, outcomes, strict=True):
                joint = member.log_prior + np.concatenate([np.zeros((1, outcome.shape[1])), np.cumsum(outcome[one], axis=0)])
                path += member.share * classes_of(member, joint, model.cardinality)
            path[0] = model.class_balance
            added[one] += np.diff(np.log(np.maximum(path, np.finfo(np.float64).tiny)), axis=0)
    return added / (2 * ORDERS)


def classes_of(member: Member, joint: FloatArray, classes: int) -> FloatArray:
    """Class probabilities float64 [n, n_classes] from joint log probabilities of states, float64 [n, n_states]."""
    states = np.exp(joint - joint.max(axis=1, keepdims=True))
    states /= states.sum(axis=1, keepdims=True)
    known = member.classes != ABSTAIN
    chosen = np.zeros((len(member.classes), classes))
    chosen[np.flatnonzero(known), member.classes[known]] = 1.0
    chosen[~known] = prior_of_classes(member, classes)
    return np.asarray(states @ chosen)
