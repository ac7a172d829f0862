"""Groups of identifiers, so that a question such as "who refers to this set?" needs no scan."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)


class Index(Generic[Member, Group]):
    """Each member is in any number of groups."""

    def __init__(self) -> None:
        self._groups_of: dict[Member, frozenset[Group]] = {}
        self._members: dict[Group, set[Member]] = {}

    def place(self, member: Member, groups: Iterable[Group]) -> None:
        """Put the member into these groups, and out of all others."""
        for old in self._groups_of.pop(member, ()):
            self._members[old].discard(member)
            if not self._members[old]:
                del self._members[old]
        wanted = frozenset(groups)
        if wanted:
            self._groups_of[member] = wanted
        for group in wanted:
            self._members.setdefault(group, set()).add(member)

    def members(self, group: Group) -> frozenset[Member]:
        return frozenset(self._members.get(group, ()))
