"""Rows that are set apart because they share their id: which of the units that are kept they are in, by the ids beside the votes.

Whether such a row is labelled depends on other rows, so that it may be labelled later, by a run that takes its votes and nothing else of it.
"""

from collections.abc import Sequence
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.vote_cache.manifest import KeptUnit, PartVotes
from labeljob.vote_cache.places import VotesPlaces
from labeljob.vote_cache.votes_file import UnusableVotesError, VotesReader


def counted_out(whole: PartVotes, shared: Sequence[pa.Array], places: VotesPlaces, batch_rows: int) -> PartVotes:
    """What a run keeps once rows with the ids in `shared` are set apart: they do not count as taken, and the units that they are in name no run. Units whose ids
    cannot be read are not kept."""
    if not shared:
        return whole
    units, taken, ids = list[KeptUnit](), list[tuple[int, int]](), pa.chunked_array(shared)
    with closing(VotesReader()) as reader:
        for unit, (rows, votes) in zip(whole.units, whole.taken, strict=True):
            try:
                found = reader.batches(places.votes(whole.files[unit.file].name), unit, (), batch_rows)
                apart = sum(pc.is_in(batch.column(0), ids.cast(batch.column(0).type)).true_count for batch in found)
            except UnusableVotesError:
                continue
            units.append(unit.model_copy(update={"run": ""}) if apart else unit)
            taken.append((rows - apart, votes))
    return whole.model_copy(update={"units": tuple(units), "taken": tuple(taken)})
