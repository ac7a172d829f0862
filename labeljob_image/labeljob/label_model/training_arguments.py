"""The arguments that Snorkel's `LabelModel` takes. Those without a meaning here are checked, and then ignored.

Nothing here descends a gradient: EM starts at a majority vote and stops when it has converged, so there is no rate, no schedule and no
device to choose. A notebook that sets them runs unchanged; a name nobody knows, or a value that no training could use, is an error.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Check = Callable[[Any], bool]


def _whole(least: int) -> Check:
    return lambda value: isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def _numbers(test: Callable[[Any], Any]) -> Check:
    """A number or an array of numbers, all of which pass."""

    def check(value: Any) -> bool:
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return False
        return array.size > 0 and bool(np.all(np.isfinite(array) & test(array)))

    return check


def _number(test: Callable[[Any], Any]) -> Check:
    return lambda value: not isinstance(value, bool) and np.ndim(value) == 0 and _numbers(test)(value)


def _one_of(*names: str) -> Check:
    return lambda value: value in names


def _truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _device(value: Any) -> bool:
    return str(value).partition(":")[0] in ("cpu", "cuda", "mps")


def _config(value: Any) -> bool:
    return value is None or isinstance(value, Mapping) or hasattr(value, "_asdict")


_CHECKS: Mapping[str, tuple[Check, str]] = {
    "n_epochs": (_whole(1), "a whole number of at least 1"),
    "lr": (_number(lambda value: value > 0), "a number above 0"),
    "l2": (_numbers(lambda value: value >= 0), "a number (or one a function) of at least 0"),
    "optimizer": (_one_of("sgd", "adam", "adamax"), "sgd, adam or adamax"),
    "optimizer_config": (_config, "a mapping"),
    "lr_scheduler": (_one_of("constant", "linear", "exponential", "step"), "constant, linear, exponential or step"),
    "lr_scheduler_config": (_config, "a mapping"),
    "prec_init": (_numbers(lambda value: (value >= 0) & (value <= 1)), "a number (or one a function) from 0 to 1"),
    "seed": (lambda value: value is None or _whole(0)(value), "a whole number of at least 0, or None"),
    "log_freq": (_whole(1), "a whole number of at least 1"),
    "mu_eps": (lambda value: value is None or _number(lambda one: (one >= 0) & (one < 0.5))(value), "a number from 0 to below 0.5, or None"),
    "progress_bar": (_truth, "True or False"),
    "verbose": (_truth, "True or False"),
    "device": (_device, "cpu, cuda, cuda:0 …; everything runs on the CPU"),
}


def check_training_arguments(arguments: Mapping[str, Any]) -> None:
    """Raises TypeError for an unknown name, naming the known ones, and ValueError for a value out of range."""
    for name, value in arguments.items():
        if name not in _CHECKS:
            raise TypeError(f"unknown argument {name!r}: fit accepts L_train, Y_dev, class_balance, {', '.join(_CHECKS)}")
        check, expected = _CHECKS[name]
        if not check(value):
            raise ValueError(f"{name} is {value!r}: it must be {expected}")


def check_cardinality(cardinality: Any) -> int:
    """The number of classes. TypeError when it is no whole number, ValueError below 2."""
    if isinstance(cardinality, bool) or not isinstance(cardinality, int | np.integer):
        raise TypeError(f"cardinality is the number of classes, a whole number; got {cardinality!r}")
    if cardinality < 2:
        raise ValueError(f"a label model needs at least 2 classes; got cardinality {cardinality}: two classes are cardinality 2, abstain is none of them")
    return int(cardinality)
