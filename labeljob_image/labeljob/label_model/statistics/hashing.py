"""Whole numbers that look random, the same everywhere."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Keys: TypeAlias = npt.NDArray[np.uint64]


def scrambled(numbers: Keys, seed: int = 0) -> Keys:
    """A bijection of uint64 for each seed, uint64 [n] in and out: splitmix64 (Steele, Lea & Flood 2014)."""
    start = (seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & ((1 << 64) - 1)
    keys = numbers + np.uint64(start)
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return keys
