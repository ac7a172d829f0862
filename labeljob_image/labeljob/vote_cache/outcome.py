"""What a part of a run keeps, and what it has taken again. Pure."""

from collections.abc import Mapping, Sequence

from labeljob.vote_cache.manifest import KeptUnit, PartVotes, VotesFile
from labeljob.vote_cache.units import Planned


def outcome_of(
    plan: Sequence[Planned], written: VotesFile | None, units: Mapping[int, KeptUnit], run_of: Sequence[str], functions: int
) -> PartVotes:
    """Args:
    written: the file of this part; units: those in it, by their numbers. run_of: name of the run that labelled each unit's rows.
    functions: that vote on each row.
    """
    files = [] if written is None else [written]
    files += list(dict.fromkeys(one.found.file for one in plan if one.found is not None and not one.missing))
    places, kept, taken = {file: number for number, file in enumerate(files)}, list[KeptUnit](), list[tuple[int, int]]()
    for number, (one, run) in enumerate(zip(plan, run_of, strict=True)):
        if number in units and written is not None:
            kept.append(units[number].model_copy(update={"file": places[written], "run": run}))
            taken.append((units[number].rows, functions - len(one.missing)))
        elif one.found is not None and not one.missing:
            kept.append(one.found.unit.model_copy(update={"file": places[one.found.file], "run": run}))
            taken.append((one.found.unit.rows, functions))
    return PartVotes(files=tuple(files), units=tuple(kept), taken=tuple(taken))
