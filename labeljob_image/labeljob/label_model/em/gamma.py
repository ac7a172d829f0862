"""The gamma function's logarithm and its derivative, and what one Dirichlet distribution is away from another: what variational Bayes needs, NumPy alone."""

import numpy as np

from labeljob.votes import FloatArray

STEPS = 8  # of recurrence, after which the asymptotic series are exact to 1e-12
HALF_LOG_TWO_PI = 0.5 * float(np.log(2 * np.pi))


def digamma(x: FloatArray | float) -> FloatArray:
    """Derivative of log gamma for positive x (Abramowitz & Stegun 6.3.5, 6.3.18); error below 1e-12 of max(1, |value|)."""
    value = np.asarray(x, dtype=np.float64)
    steps = sum(1 / (value + k) for k in range(STEPS))
    shifted = value + STEPS
    inverse = 1 / (shifted * shifted)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return np.asarray(np.log(shifted) - 0.5 / shifted - series - steps)


def log_gamma(x: FloatArray | float) -> FloatArray:
    """log of the gamma function for positive x (Abramowitz & Stegun 6.1.15, 6.1.40); error below 1e-12 of max(1, |value|)."""
    value = np.asarray(x, dtype=np.float64)
    below = value.copy()
    for k in range(1, STEPS):
        below = below * (value + k)
    shifted = value + STEPS
    inverse = 1 / (shifted * shifted)
    series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / shifted
    return np.asarray((shifted - 0.5) * np.log(shifted) - shifted + HALF_LOG_TWO_PI + series - np.log(below))


def expected_logs(shape: FloatArray, axis: int) -> FloatArray:
    """Expected logarithms of probabilities with Dirichlet distributions along `axis`; `shape` and the answer are of one size."""
    return np.asarray(digamma(shape) - digamma(shape.sum(axis=axis, keepdims=True)))


def divergence(shape: FloatArray, prior: FloatArray, axis: int) -> FloatArray:
    """Kullback-Leibler divergence, in nats, of Dirichlet(shape) from Dirichlet(prior) along `axis`; the arrays broadcast."""
    logs = (shape - prior) * expected_logs(shape, axis) + log_gamma(prior) - log_gamma(shape)
    return np.asarray(logs.sum(axis=axis) + log_gamma(shape.sum(axis=axis)) - log_gamma(prior.sum(axis=axis)))
