"""Make the example's tickets. They are invented; a fixed seed gives the same bytes again.

    python make_data.py          # writes tickets.csv and gold.csv beside this file

What is assumed: a classifier was trained on the tickets of an older, mobile product. On mobile tickets of the new product it is good, though
surer than it should be (`TOO_SURE`). On web tickets it takes questions for features and features for bugs (`CONFUSES`), just as surely.
Five weak rules read the text; each ticket tells its class with probability `TELLS`, and another with `MISLEADS`. People looked at `GOLD`
tickets, drawn at random. The rules and the classifier err independently given the class.
"""

import csv
from pathlib import Path

import numpy as np

CLASSES = ("bug", "feature", "question")
SHARES = (0.45, 0.30, 0.25)
SEED, ROWS, GOLD = 7301, 1200, 150
TELLS, MISLEADS, SHARP, TOO_SURE = 0.5, 0.22, 1.5, 3.0
CONFUSES = (0, 0, 1)  # what the classifier takes each class of a web ticket for
WORDS = {"bug": ("crashes", "error", "broken"), "feature": ("would be nice", "please add", "missing"), "question": ("how do i", "where is", "can i")}


def tickets() -> tuple[np.ndarray, list[dict[str, object]]]:
    """(class indices int [n], rows)."""
    random = np.random.default_rng(SEED)
    truth, web = random.choice(3, ROWS, p=SHARES), random.random(ROWS) < 0.5
    seen = np.where(web, np.array(CONFUSES)[truth], truth)
    signal = TOO_SURE * SHARP * (SHARP * np.eye(3)[seen] + random.normal(size=(ROWS, 3)))
    P = np.exp(signal - signal.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    rows: list[dict[str, object]] = []
    for i in range(ROWS):
        told = [CLASSES[truth[i]]] * (random.random() < TELLS) + [CLASSES[random.integers(3)]] * (random.random() < MISLEADS)
        text = "; ".join(WORDS[name][random.integers(3)] for name in told) or "hello"
        trace = random.random() < (0.5, 0.05, 0.05)[truth[i]]
        row: dict[str, object] = {"ticket": f"t{i:04d}", "platform": "web" if web[i] else "mobile", "text": text, "has_trace": "true" if trace else "false"}
        for platform in ("mobile", "web"):
            for k, name in enumerate(CLASSES):
                row[f"{platform}_{name}"] = f"{P[i, k]:.4f}" if platform == row["platform"] else ""
        rows.append(row)
    return truth, rows


def main() -> None:
    """Write the files."""
    folder, (truth, rows) = Path(__file__).parent, tickets()
    with (folder / "tickets.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    chosen = np.sort(np.random.default_rng(SEED + 1).choice(ROWS, GOLD, replace=False))
    with (folder / "gold.csv").open("w", newline="") as file:
        gold = csv.writer(file, lineterminator="\n")
        gold.writerow(["ticket", "kind"])
        gold.writerows([rows[i]["ticket"], CLASSES[truth[i]]] for i in chosen)


if __name__ == "__main__":
    main()
