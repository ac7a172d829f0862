"""The two files that a part of a run writes, opened with the first unit that is kept."""

from collections.abc import Mapping

import pyarrow as pa

from labeljob.io.failures import writing
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place
from labeljob.looks import Looks
from labeljob.vote_cache.looks_file import LooksSink
from labeljob.vote_cache.manifest import VotesFile
from labeljob.vote_cache.places import VotesPlaces
from labeljob.vote_cache.votes_file import Columns, VotesSink


class PartSinks:
    """Votes and looks of the units that are kept; a failure leaves nothing at work."""

    def __init__(self, places: VotesPlaces, uri: str, name: str, columns: Columns, id_type: pa.DataType, expected: int) -> None:
        self._places, self._uri, self._name, self._columns, self._id_type, self._expected = places, uri, name, columns, id_type, expected
        self._votes: tuple[VotesSink, Place] | None = None
        self._looks: tuple[LooksSink, Place] | None = None

    def add_looks(self, looks: Looks) -> int:
        """The row that they are in."""
        with writing(self._uri, self._places.folder):
            if self._looks is None:
                place = self._places.at_work(self._places.looks(self._name))
                self._looks = LooksSink(place), place
            return self._looks[0].write(looks)

    def add_votes(self, ids: pa.Array, found: Mapping[str, pa.Array]) -> int:
        """The row group that they are in."""
        with writing(self._uri, self._places.folder):
            if self._votes is None:
                place = self._places.at_work(self._places.votes(self._name))
                self._votes = VotesSink(place, self._columns.schema(self._id_type)), place
            return self._votes[0].write(ids, found)

    def finish(self) -> VotesFile | None:
        """Both are in their places when this returns; None where nothing was kept."""
        if self._votes is None or self._looks is None:
            self.abandon()
            return None
        (votes, at_work), (looks, looks_at_work) = self._votes, self._looks
        with writing(self._uri, self._places.folder):
            file = VotesFile(
                name=self._name, size=votes.finish(), looks_size=looks.finish(), functions=self._columns.distinct, expected=self._expected
            )
            self._places.put([(looks_at_work, self._places.looks(self._name)), (at_work, self._places.votes(self._name))])
        self._votes = self._looks = None
        return file

    def abandon(self) -> None:
        """Close and remove what is at work."""
        for sink, place in (one for one in (self._votes, self._looks) if one is not None):
            sink.abandon()
            if not isinstance(place, ObjectPath):
                place.unlink(missing_ok=True)
        self._votes = self._looks = None
