"""Groups of identifiers, so that a question such as "who refers to this set?" needs no scan."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)


class Index(Generic[Member, Group]):
    """Each member is in one group or in none."""

    def __init__(self) -> None:
        self._group_of: dict[Member, Group] = {}
        self._members: dict[Group, set[Member]] = {}

    def place(self, member: Member, group: Group | None) -> None:
        """Move the member to this group; None takes it out."""
        old = self._group_of.pop(member, None)
        if old is not None:
            self._members[old].discard(member)
            if not self._members[old]:
                del self._members[old]
        if group is not None:
            self._group_of[member] = group
            self._members.setdefault(group, set()).add(member)

    def members(self, group: Group) -> frozenset[Member]:
        return frozenset(self._members.get(group, ()))
