"""Make the example's tickets. They are invented; a fixed seed gives the same bytes again.

    python make_data.py          # writes tickets.csv, gold.csv and products.csv beside this file

What is assumed of a ticket (every number is below, and none was taken from a real help desk):

- It has each tag by itself with the probability in `SHARES`: most have one or two, some have none, a few have four.
- For each tag that it has, its text says so with probability `SAYS`; for a tag that it does not have, it misleads with `MISLEADS`.
- A ticket about a finished matter says thanks, and is not urgent, with `THANKS`.
- The product that the customer names goes with one of the ticket's tags most of the time (`PRODUCT_RIGHT`), and with any otherwise.
- An older classifier gives a probability for some of the tags; it is too sure of itself (`SHARPNESS`), and did not see every ticket (`UNSEEN`).
- Two support agents tagged some tickets each by picking the one tag that fits best.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

TAGS = ("billing", "bug", "account", "performance", "urgent")
SHARES = (0.30, 0.35, 0.22, 0.18, 0.12)
SEED, ROWS, GOLD_EVERY = 20251, 1200, 3
SAYS, MISLEADS, THANKS, PRODUCT_RIGHT = 0.62, 0.05, 0.35, 0.75
SHARPNESS, UNSEEN, TAGGED = 2.5, 0.2, 0.35
SENTENCES = {
    "billing": ("The invoice is wrong.", "I was charged twice.", "Please refund the last payment."),
    "bug": ("The page shows an error.", "It crashes when I save.", "The export comes out broken."),
    "account": ("I cannot log in.", "Please reset my password.", "A colleague needs an account."),
    "performance": ("Everything is slow today.", "It times out on large files.", "Loading takes a minute."),
    "urgent": ("We are blocked!", "This is urgent.", "Production is down."),
}
PRODUCTS = {"Checkout": "billing", "Editor": "bug", "Single sign-on": "account", "Reports": "performance"}
SMALL_TALK = ("Hello,", "Hi there,", "Dear team,")


def text_of(tags: np.ndarray, thanks: bool, random: np.random.Generator) -> str:
    """What the customer wrote."""
    said = random.random(len(TAGS)) < np.where(tags, SAYS, MISLEADS)
    sentences = [str(random.choice(SENTENCES[tag])) for tag, says in zip(TAGS, said, strict=True) if says]
    return " ".join([str(random.choice(SMALL_TALK)), *sentences, *(["Thanks, no hurry."] if thanks else [])])


def product_of(tags: np.ndarray, random: np.random.Generator) -> str:
    """The product that is named, or nothing."""
    fitting = [name for name, tag in PRODUCTS.items() if tags[TAGS.index(tag)]]
    if random.random() < 0.3:
        return ""
    return str(random.choice(fitting if fitting and random.random() < PRODUCT_RIGHT else list(PRODUCTS)))


def classifier(tags: np.ndarray, random: np.random.Generator) -> list[str]:
    """Its probabilities for bug and performance."""
    if random.random() < UNSEEN:
        return ["", ""]
    signal = SHARPNESS * (np.where(tags[[1, 3]], 1.0, -1.2) + random.normal(size=2))
    return [f"{1 / (1 + np.exp(-value)):.3f}" for value in signal]


def agent(tags: np.ndarray, random: np.random.Generator) -> str:
    """The one tag that an agent picked, or nothing."""
    if random.random() > TAGGED:
        return ""
    present = [tag for tag, has in zip(TAGS, tags, strict=True) if has]
    return str(random.choice(present if present and random.random() < 0.85 else TAGS))


def tickets() -> tuple[list[list[str]], list[list[str]]]:
    """(rows of tickets.csv, rows of gold.csv)."""
    random = np.random.default_rng(SEED)
    rows, gold = list[list[str]](), list[list[str]]()
    for number in range(ROWS):
        tags = random.random(len(TAGS)) < SHARES
        thanks = bool(not tags[TAGS.index("urgent")] and random.random() < THANKS)
        name = f"t-{number:04d}"
        rows.append([name, text_of(tags, thanks, random), product_of(tags, random), *classifier(tags, random), agent(tags, random), agent(tags, random)])
        if number % GOLD_EVERY == 0:
            gold.append([name, "|".join(tag for tag, has in zip(TAGS, tags, strict=True) if has) or "|"])  # a lone | has none of the tags
    return rows, gold


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with (Path(__file__).parent / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main() -> None:
    rows, gold = tickets()
    write("tickets.csv", ("ticket_id", "text", "product", "old_bug", "old_performance", "agent_1", "agent_2"), rows)
    write("gold.csv", ("ticket_id", "tags"), gold)
    write("products.csv", ("product", "tag"), PRODUCTS.items())


if __name__ == "__main__":
    main()
