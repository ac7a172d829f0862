r"""Literals of which one stands in every text that an RE2 pattern matches, read off the pattern.

    (call|ringtone)[^\w]* (\w+ )*free!?   ->   {"free"}, the set whose literals are likely rarest

A node of the pattern is known by the few strings that it is exactly (`exact`), and by a set of which one occurs in whatever it matches
(`required`). What is not understood here says nothing, so that the pattern is simply searched in every text. After R. Cox, Regular
Expression Matching with a Trigram Index (2012).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

MOST_EXACT = 32  # strings that a node is exactly; more are required one by one, and no longer joined to what stands beside them
MOST_REQUIRED = 512
DEEPEST = 40  # groups in groups
SPACE = 16.0  # of two literals the one with a letter more is rarer by about this

Strings: TypeAlias = frozenset[str]
NOTHING: Strings = frozenset({""})
_EMPTY_ESCAPES, _ANY_ESCAPES = "bBAz", "dDsSwW"
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAME = re.compile(r"\?P?<\w+>")
_REPEAT = re.compile(r"[*+?]|\{(\d+)(?:,(\d*))?\}")
_PROPERTY = re.compile(r"[pP](?:\{[^}]*\}|[A-Z])")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\\[]|\[(?!:))*\]", re.DOTALL)
_FEW = re.compile(r"\[([A-Za-z0-9 ]{1,4})\]")


class NotUnderstood(Exception):
    """The pattern has something that this reader does not know."""


@dataclass(frozen=True)
class Node:
    """A part of a pattern; with neither set it says nothing."""

    exact: Strings | None = None
    required: Strings | None = None

    @property
    def best(self) -> Strings | None:
        return rarest([one for one in (self.exact, self.required) if one is not None])


ANYTHING = Node()
EMPTY = Node(exact=NOTHING)


def literals_of(pattern: str) -> Strings | None:
    """Strings of which one stands, up to ASCII case, in every text that the pattern matches; None where nothing is known.

    Args:
        pattern: accepted by RE2.
    """
    try:
        found = _Reader(pattern).whole().best
    except NotUnderstood:
        return None
    return found if found and "" not in found and len(found) <= MOST_REQUIRED else None


def rarest(sets: Iterable[Strings]) -> Strings | None:
    """The set whose literals are likely found least often, by their lengths alone; literals that hold another one are left out."""
    return min((_shortest(one) for one in sets), key=_frequency, default=None)


def _frequency(literals: Strings) -> float:
    return sum(SPACE ** -min(len(one), 60) for one in literals)


def _shortest(literals: Strings) -> Strings:
    if len(literals) > MOST_EXACT:
        return literals
    return frozenset(one for one in literals if not any(other != one and other in one for other in literals))


class _Reader:
    """Recursive descent; `fold` is whether letters match in any case at this place."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._fold, self._depth = pattern, 0, False, 0

    def whole(self) -> Node:
        node = self._alternation()
        if self._at < len(self._text):
            raise NotUnderstood
        return node

    def _alternation(self) -> Node:
        branches = [self._concatenation()]
        while self._take("|"):
            branches.append(self._concatenation())
        return branches[0] if len(branches) == 1 else _either(branches)

    def _concatenation(self) -> Node:
        nodes = list[Node]()
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            nodes.append(self._repeated(self._atom()))
        return _joined(nodes)

    def _repeated(self, node: Node) -> Node:
        while repeat := _REPEAT.match(self._text, self._at):
            self._at = repeat.end()
            self._take("?")
            node = _repetition(node, repeat)
        return node

    def _atom(self) -> Node:
        character = self._text[self._at]
        if character == "[":
            return self._class()
        self._at += 1
        if character == "(":
            return self._group()
        if character == "\\":
            return self._escape()
        if character in "^$":
            return EMPTY
        return ANYTHING if character == "." else self._literal(character)

    def _literal(self, character: str) -> Node:
        """Letters beyond ASCII that match in any case may match ones of other bytes."""
        return ANYTHING if self._fold and not character.isascii() else Node(exact=frozenset({character}))

    def _group(self) -> Node:
        before, self._depth = self._fold, self._depth + 1
        if self._depth > DEEPEST:
            raise NotUnderstood
        if self._text.startswith("?", self._at) and not self._opened():
            self._depth -= 1  # flags for the rest of the group around: they stay
            return EMPTY
        node = self._alternation()
        if not self._take(")"):
            raise NotUnderstood
        self._fold, self._depth = before, self._depth - 1
        return node

    def _opened(self) -> bool:
        """Read what stands between `(?` and a group's content; False where there is no content."""
        if name := _NAME.match(self._text, self._at):
            self._at = name.end()
            return True
        flags = _FLAGS.match(self._text, self._at)
        if flags is None:
            raise NotUnderstood
        self._at = flags.end()
        self._fold = (self._fold or "i" in flags[1]) and "i" not in (flags[2] or "")
        return flags[3] == ":"

    def _escape(self) -> Node:
        character = self._text[self._at : self._at + 1]
        if escaped := _PROPERTY.match(self._text, self._at):
            self._at = escaped.end()
            return ANYTHING
        self._at += 1
        if character in _CONTROLS:
            return self._literal(_CONTROLS[character])
        if character and character in _EMPTY_ESCAPES:
            return EMPTY
        if character and character in _ANY_ESCAPES:
            return ANYTHING
        if not character.isascii() or character.isalnum() or character in ("", "_"):
            raise NotUnderstood
        return self._literal(character)

    def _class(self) -> Node:
        found = _CLASS.match(self._text, self._at)
        if found is None:
            raise NotUnderstood
        self._at = found.end()
        few = _FEW.fullmatch(found[0])
        return Node(exact=frozenset(few[1])) if few else ANYTHING

    def _take(self, character: str) -> bool:
        taken = self._text.startswith(character, self._at)
        self._at += taken
        return taken


def _repetition(node: Node, repeat: "re.Match[str]") -> Node:
    least = 1 if repeat[0] == "+" else int(repeat[1] or 0)
    if repeat[0] == "?" and node.exact is not None:
        return Node(exact=node.exact | NOTHING)
    if repeat[0] in ("{1}", "{1,1}"):
        return node
    return Node(required=node.best) if least else ANYTHING


def _either(branches: list[Node]) -> Node:
    exact = frozenset[str]().union(*(one.exact or () for one in branches))
    if all(one.exact is not None for one in branches) and len(exact) <= MOST_EXACT:
        return Node(exact=exact)
    best = [one.best for one in branches]
    if any(one is None for one in best):
        return ANYTHING
    return Node(required=frozenset[str]().union(*(one for one in best if one)))


def _joined(nodes: list[Node]) -> Node:
    """One after the other: neighbours that are known exactly make longer literals."""
    run, offered, whole = NOTHING, list[Strings](), True
    for node in nodes:
        if node.exact is not None and len(run) * len(node.exact) <= MOST_EXACT:
            run = frozenset(left + right for left, right in product(run, node.exact))
            continue
        whole = False
        offered += [run, *([node.required] if node.required is not None else [])]
        run = NOTHING if node.exact is None else node.exact
    return Node(exact=run) if whole else Node(required=rarest([*offered, run]))
