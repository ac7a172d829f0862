"""Rules that every rival takes: as our spec, as a Python function, and as SQL by hand. Imports nothing but the standard library."""

import os
import re
from collections.abc import Callable
from csv import reader
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ABSTAIN = -1
CLASSES = ["ham", "spam"]
VARIABLE = "LABELPLANE_SMS_RULES"
SMS = Path(os.environ.get(VARIABLE, Path(__file__).parents[3] / "shared/data/sms-rules"))


@dataclass(frozen=True)
class Rule:
    """One predicate on a text; `body` is a pattern, or words separated by |, in lower case."""

    name: str
    vote: int
    kind: Literal["word", "substring", "regex"]
    body: str

    def spec(self) -> dict[str, Any]:
        """As a function of a LabelingFunctionSet."""
        if self.kind == "regex":
            return {"name": self.name, "label": CLASSES[self.vote], "regex": {"column": "text", "pattern": self.body}}
        return {"name": self.name, "label": CLASSES[self.vote], "keywords": {"column": "text", "any": self.body.split("|"), "match": self.kind}}

    def python(self) -> Callable[[str], int]:
        """As one writes it in Python."""
        vote = self.vote
        if self.kind == "substring":
            words = tuple(self.body.split("|"))
            return lambda text: vote if any(word in text.lower() for word in words) else ABSTAIN
        pattern = re.compile(self.body if self.kind == "regex" else rf"(?i)(?<!\w)(?:{self.body})(?!\w)")
        return lambda text: vote if pattern.search(text) else ABSTAIN

    def sql(self, *, contains: bool = False) -> str:
        """As one writes it for DuckDB: a regular expression, or, with `contains`, what is a substring as such."""
        if self.kind == "substring" and contains:
            found = " OR ".join(f"contains(lower(text), '{word}')" for word in self.body.split("|"))
        else:
            bounded = rf"(?i)(?:^|[^\p{{L}}\p{{Nd}}_])(?:{self.body})(?:[^\p{{L}}\p{{Nd}}_]|$)"
            pattern = {"regex": self.body, "substring": f"(?i){self.body}", "word": bounded}[self.kind]
            found = f"regexp_matches(text, '{pattern.replace(chr(39), chr(39) * 2)}')"
        return f"CAST(CASE WHEN {found} THEN {self.vote} ELSE {ABSTAIN} END AS TINYINT)"


TEN = (
    Rule("money", 1, "substring", "mortgage|refinance|extra income|earn money|credit card|million dollars|investment"),
    Rule("urges", 1, "substring", "click here|click below|order now|act now|limited time|call now"),
    Rule("free", 1, "substring", "toll free|risk free|absolutely free|no obligation|special offer"),
    Rule("technical", 0, "word", "linux|perl|python|kernel|debian|redhat|rpm|cvs|patch|gcc"),
    Rule("pills", 1, "word", "viagra|weight loss|herbal|casino|webcam|prescriptions"),
    Rule("lists", 0, "word", "wrote|mailman|listinfo|unsubscribe|archives"),
    Rule("amount", 1, "regex", r"\$ ?[0-9][0-9,.]*"),
    Rule("removal", 1, "regex", r"(?i)(?:remove (?:me|yourself|your)|to be removed|removed? from (?:our|the|future))"),
    Rule("quoted", 0, "regex", r"(?m)^> ?\S+ \S"),
    Rule("greeting", 1, "regex", r"(?i)dear (?:sir|madam|friend|customer|home ?owner|investor|member)"),
)
TWO_MORE = (  # with these, twelve
    Rule("address", 0, "regex", r"(?i)[a-z0-9._-]+@[a-z0-9-]+\.(?:org|edu)"),
    Rule("shouting", 1, "regex", r"[A-Z]{5,} [A-Z]{4,}"),
)


def sms_rules() -> tuple[Rule, ...]:
    """The 73 published rules; none when they are not here."""
    if not SMS.is_dir():
        return ()
    lines = [line.split("\t") for line in (SMS / "rule.txt").read_text("latin-1").splitlines()]
    return tuple(Rule(f"rule{number:02}", CLASSES.index(line[0]), "regex", line[1]) for number, line in enumerate(lines))


def sms_texts() -> list[str]:
    """The messages that the rules were written for."""
    texts = list[str]()
    for part in ("train", "valid", "test"):
        with (SMS / f"{part}.csv").open(encoding="latin-1", newline="") as file:
            texts += [line[1] for line in list(reader(file))[1:]]
    return texts
