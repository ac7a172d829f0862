"""Make the example's orders. They are invented; a fixed seed gives the same bytes again.

    python make_data.py          # writes orders.csv and gold.csv beside this file

What is assumed: an order is legit, a fraud, or a mistake of the customer's. The payment signals tell frauds from the rest (`PAYMENT`: how often each
is there given the class) and nothing of mistakes; notes and history tell mistakes (`SHOP`), and little of frauds. All of them are independent given
the class. People looked at `GOLD` orders, drawn at random.
"""

import csv
from pathlib import Path

import numpy as np

CLASSES = ("legit", "fraud", "mistake")
SHARES = (0.68, 0.17, 0.15)
SEED, ROWS, GOLD = 4117, 900, 150
PAYMENT = {"foreign_ip": (0.08, 0.62, 0.08), "card_known": (0.72, 0.18, 0.70), "many_attempts": (0.06, 0.55, 0.10), "at_night": (0.12, 0.45, 0.12)}
SHOP = {"asks": (0.03, 0.03, 0.55), "twice": (0.02, 0.02, 0.40), "returning": (0.65, 0.35, 0.40), "gift": (0.25, 0.08, 0.10)}
ASKS, NOTHING = ("please cancel", "wrong size", "ordered by mistake"), ("", "leave at the door", "thanks")


def orders() -> tuple[np.ndarray, list[dict[str, object]]]:
    """(class indices int [n], rows)."""
    random = np.random.default_rng(SEED)
    truth, rows = random.choice(3, ROWS, p=SHARES), []
    for i, k in enumerate(truth):
        is_ = {name: bool(random.random() < rates[k]) for name, rates in (PAYMENT | SHOP).items()}
        notes = [ASKS[random.integers(3)] if is_["asks"] else NOTHING[random.integers(3)]] + ["it is a gift"] * is_["gift"]
        rows.append(
            {
                "order": f"o{i:04d}",
                "ip_country": "abroad" if is_["foreign_ip"] else "home",
                "card_known": str(is_["card_known"]).lower(),
                "attempts": int(random.integers(3, 7) if is_["many_attempts"] else random.integers(1, 3)),
                "hour": int(random.integers(0, 5) if is_["at_night"] else random.integers(6, 24)),
                "note": "; ".join(note for note in notes if note),
                "same_order_today": str(is_["twice"]).lower(),
                "orders_before": int(random.integers(1, 30) if is_["returning"] else 0),
            }
        )
    return truth, rows


def main() -> None:
    """Write the files."""
    folder, (truth, rows) = Path(__file__).parent, orders()
    with (folder / "orders.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    chosen = np.sort(np.random.default_rng(SEED + 1).choice(ROWS, GOLD, replace=False))
    with (folder / "gold.csv").open("w", newline="") as file:
        gold = csv.writer(file, lineterminator="\n")
        gold.writerow(["order", "kind"])
        gold.writerows([rows[i]["order"], CLASSES[truth[i]]] for i in chosen)


if __name__ == "__main__":
    main()
