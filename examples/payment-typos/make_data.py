"""Make the example's payments. They are invented; a fixed seed gives the same bytes again.

    python make_data.py          # writes payments.csv beside this file

What is assumed: one account number in ten is mistyped (`TYPOS`): a digit is another, two neighbours are swapped, or one is left out. On paper,
typing errors are more frequent; the bank has refused some of them, and few others; a good account often has been paid before.
"""

import csv
import random
from pathlib import Path

SEED, ROWS, TYPOS = 4211, 900, 0.1
LENGTHS = {"DE": 18, "AT": 16, "NL": 14}  # digits behind the check digits; no real bank code is among them but by chance


def iban(chance: random.Random) -> str:
    """A number with right check digits."""
    country = chance.choice(list(LENGTHS))
    account = "".join(chance.choices("0123456789", k=LENGTHS[country]))
    if country == "NL":
        account = "".join(chance.choices("ABCDEFGHIJ", k=4)) + account[4:]
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{account}"


def mistyped(number: str, chance: random.Random) -> str:
    """Somebody's typing error, behind the country."""
    place, kind = chance.randrange(8, len(number) - 1), chance.randrange(3)
    if kind == 0:
        return number[:place] + str((int(number[place]) + chance.randrange(1, 10)) % 10) + number[place + 1 :]
    if kind == 1 and number[place] != number[place + 1]:
        return number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    return number[:place] + number[place + 1 :]


def payments() -> tuple[list[bool], list[dict[str, object]]]:
    """(whether each is mistyped, rows)."""
    chance, wrong, rows = random.Random(SEED), list[bool](), list[dict[str, object]]()  # noqa: S311 an example's data
    for i in range(ROWS):
        typo, number = chance.random() < TYPOS, iban(chance)
        given = "" if chance.random() < 0.03 else mistyped(number, chance) if typo else number
        refused = chance.random() < (0.6 if typo else 0.01)
        rows.append(
            {
                "payment": f"p{i:04d}",
                "iban": given,
                "entry": "paper" if chance.random() < (0.6 if typo else 0.15) else "app",
                "earlier": 0 if typo and chance.random() < 0.9 else chance.randrange(5),
                "reply": "AC01 IncorrectAccountNumber" if refused else "",
            }
        )
        wrong.append(typo)
    return wrong, rows


def main() -> None:
    """Write the file."""
    with (Path(__file__).parent / "payments.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(payments()[1][0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(payments()[1])


if __name__ == "__main__":
    main()
