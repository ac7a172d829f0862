"""`VoteStatistics` as bytes and back, to the last bit: what a shard hands to whoever merges. Never pickle.

The layout is that of safetensors: the length of a JSON header (8 bytes, little-endian), the header, the arrays one after another. Equal statistics
give equal bytes.
"""

import hashlib
import json
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeljob.label_model.serialization import ModelFormatError
from labeljob.label_model.statistics.pair_counts import PairCounts
from labeljob.label_model.statistics.sampling import Budget, Sample
from labeljob.label_model.statistics.vote_statistics import Totals, VoteStatistics

STATISTICS_VERSION = 1
KIND = "labelplane vote statistics"
KINDS = {"I8": np.int8, "I16": np.int16, "I64": np.int64, "U64": np.uint64}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


def to_bytes(statistics: VoteStatistics) -> bytes:
    """The statistics as bytes that `from_bytes` reads."""
    tensors, data = dict[str, Any](), b""
    for name, array in _arrays(statistics).items():
        part = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        tensors[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    about = {
        "kind": KIND,
        "version": str(STATISTICS_VERSION),
        "budgetBytes": str(statistics.budget.bytes),
        "budgetSeed": str(statistics.budget.seed),
        "rows": str(statistics.rows),
    }
    about["sha256"] = _digest(about, tensors, data)
    header = _json({"__metadata__": about} | tensors)
    return len(header).to_bytes(8, "little") + header + data


def from_bytes(data: bytes) -> VoteStatistics:
    """The statistics that `to_bytes` wrote. ModelFormatError: something else, a newer format, or content that was changed or cut off."""
    size = int.from_bytes(data[:8], "little")
    try:
        tensors = json.loads(data[8 : 8 + size])
        about = tensors.pop("__metadata__")
        kind, version, stated = about["kind"], int(about["version"]), about.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelFormatError("these bytes are no vote statistics: they were cut off, or are something else") from None
    if kind != KIND or version > STATISTICS_VERSION:
        newer = f"vote statistics of format {version}, written by a newer Labelplane: upgrade to read them"
        raise ModelFormatError(newer if kind == KIND else f"these bytes are {kind!r}, no vote statistics")
    content = data[8 + size :]
    if stated != _digest(about, tensors, content):
        raise ModelFormatError("the vote statistics do not have the SHA-256 that they state: they were changed or cut off; reduce the votes again")
    arrays = {name: _array(content, **tensor) for name, tensor in tensors.items()}
    return _statistics(arrays, int(about["rows"]), Budget(int(about["budgetBytes"]), int(about["budgetSeed"])))


def _arrays(statistics: VoteStatistics) -> Arrays:
    sample, totals = statistics.sample, statistics.totals
    pairs = totals.pairs if totals else None
    found: Arrays = {"patterns": statistics.patterns, "counts": statistics.counts}
    found |= {"sample.keys": sample.keys, "sample.votes": sample.votes} if sample else {}
    found |= {"totals.votes": totals.votes} if totals else {}
    found |= {"pairs.both": pairs.both, "pairs.agree": pairs.agree} if pairs else {}
    return found | ({"pairs.byClass": pairs.by_class} if pairs and pairs.by_class is not None else {})


def _statistics(arrays: Arrays, rows: int, budget: Budget) -> VoteStatistics:
    sample = Sample(arrays["sample.keys"], arrays["sample.votes"]) if "sample.keys" in arrays else None
    pairs = PairCounts(arrays["pairs.both"], arrays["pairs.agree"], arrays.get("pairs.byClass")) if "pairs.both" in arrays else None
    totals = Totals(rows, arrays["totals.votes"], pairs) if "totals.votes" in arrays else None
    return VoteStatistics(arrays["patterns"], arrays["counts"], sample, totals, budget)


def _array(content: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> npt.NDArray[Any]:
    kind = np.dtype(KINDS[dtype])
    return np.frombuffer(content[slice(*data_offsets)], dtype=kind.newbyteorder("<")).astype(kind).reshape(shape)


def _digest(about: dict[str, str], tensors: dict[str, Any], data: bytes) -> str:
    return hashlib.sha256(_json([about, tensors]) + data).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
