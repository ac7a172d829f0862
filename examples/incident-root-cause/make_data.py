"""Make the example's incidents. They are invented; a fixed seed gives the same bytes again.

    python make_data.py          # writes incidents.csv, gold.csv and playbooks.csv beside this file

What is assumed of an incident (every number is below, and none was taken from a real system):

- It has one root cause; some causes are commoner than others (`SHARES`).
- The text tells of its cause with probability `TELLS`, and of some other cause, as a symptom or a suspicion, with `MISLEADS`.
- On call, people open the playbook of the symptom: the right one with probability `PLAYBOOK_RIGHT`, otherwise one that `LOOKS_LIKE` it.
- The alert's own classification leans towards capacity, because most alerts watch resources (`ALERT`).
- The first responder's guess is there for about half of them, and leans towards the last deployment (`RESPONDER`).
- Measurements follow the cause, with exceptions: deployments happen all the time, and retries against a failing dependency
  use up the processor.
- Sources err independently of each other given the cause, but for the alert, whose guess the responder has read (`FOLLOWS_ALERT`).
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

CAUSES = ("bad-deploy", "capacity", "dependency", "network", "misconfiguration")
SHARES = (0.30, 0.22, 0.22, 0.13, 0.13)
SEED, ROWS, GOLD_EVERY = 20240, 720, 2
TELLS, MISLEADS, PLAYBOOK_RIGHT, FOLLOWS_ALERT = 0.72, 0.38, 0.68, 0.25

LOOKS_LIKE = {
    "bad-deploy": ("misconfiguration", "dependency"),
    "capacity": ("dependency", "network"),
    "dependency": ("network", "capacity"),
    "network": ("dependency", "capacity"),
    "misconfiguration": ("bad-deploy", "network"),
}
# P(the source says | cause): rows are causes, columns are what it says in the order of CAUSES, then nothing
ALERT = {
    "bad-deploy": (0.40, 0.25, 0.10, 0.03, 0.02, 0.20),
    "capacity": (0.03, 0.75, 0.05, 0.05, 0.02, 0.10),
    "dependency": (0.05, 0.30, 0.40, 0.05, 0.00, 0.20),
    "network": (0.02, 0.25, 0.13, 0.45, 0.00, 0.15),
    "misconfiguration": (0.15, 0.30, 0.10, 0.05, 0.15, 0.25),
}
RESPONDER = {
    "bad-deploy": (0.45, 0.02, 0.03, 0.00, 0.05, 0.45),
    "capacity": (0.10, 0.35, 0.05, 0.00, 0.02, 0.48),
    "dependency": (0.12, 0.05, 0.30, 0.05, 0.03, 0.45),
    "network": (0.08, 0.03, 0.12, 0.30, 0.02, 0.45),
    "misconfiguration": (0.20, 0.03, 0.05, 0.02, 0.25, 0.45),
}
SENTENCES = {
    "bad-deploy": (
        "Errors began with the new release.",
        "Rolling back to the previous version.",
        "The canary of {service} failed.",
        "Stack traces from code merged today.",
    ),
    "capacity": ("Pods are throttled.", "The queue keeps growing.", "Autoscaler is at its maximum.", "Out of memory kills on {service}."),
    "dependency": (
        "The payment provider answers 503.",
        "The vendor's status page is red.",
        "Database connections are refused.",
        "The third party API is slow.",
    ),
    "network": (
        "Packet loss between zones.",
        "DNS lookups fail at random.",
        "The load balancer resets connections.",
        "A certificate handshake takes seconds.",
    ),
    "misconfiguration": (
        "A feature flag was flipped.",
        "The wrong secret is mounted.",
        "An environment variable is missing.",
        "Limits were edited by hand.",
    ),
}
SYMPTOMS = (
    "Checkout is slow.",
    "Error rate above objective.",
    "Customers report timeouts.",
    "Latency doubled.",
    "Health checks flap.",
    "Jobs pile up.",
)
SERVICES = ("checkout", "search", "billing", "catalog", "identity", "delivery")
PLAYBOOKS = {
    "roll-back": "bad-deploy",
    "freeze-release": "bad-deploy",
    "scale-out": "capacity",
    "shed-load": "capacity",
    "call-vendor": "dependency",
    "open-breaker": "dependency",
    "drain-zone": "network",
    "check-dns": "network",
    "diff-config": "misconfiguration",
    "rotate-secret": "misconfiguration",
}
COLUMNS = (
    "incident_id", "opened_at", "service", "title", "summary", "playbook", "alert_class", "responder_guess",
    "minutes_since_deploy", "cpu_utilization", "packet_loss", "upstream_error_share", "resolved_at",
)  # fmt: skip


def incident(number: int, cause: str, draw: np.random.Generator) -> tuple[object, ...]:
    """One row, in the order of COLUMNS; None where nothing is known."""
    opened = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number * 720 + int(draw.integers(0, 720)))
    service = str(draw.choice(SERVICES))
    alert = said(ALERT[cause], draw)
    guess = alert if alert and draw.random() < FOLLOWS_ALERT else said(RESPONDER[cause], draw)
    return (
        f"inc-{number:04d}",
        opened.isoformat(),
        service,
        f"{service}: {str(draw.choice(SYMPTOMS)).rstrip('.').lower()}",
        summary(cause, service, draw),
        playbook(cause, draw),
        alert,
        guess,
        *measurements(cause, draw),
        (opened + timedelta(minutes=int(draw.gamma(2, 70)) + 5)).isoformat() if draw.random() < 0.9 else None,
    )


def said(rates: Sequence[float], draw: np.random.Generator) -> str | None:
    """What a source with these rates says: a cause, or nothing."""
    return (*CAUSES, None)[int(draw.choice(len(rates), p=rates))]


def summary(cause: str, service: str, draw: np.random.Generator) -> str:
    """A symptom, and what people found or suspected, in any order."""
    told = [str(draw.choice(SYMPTOMS))]
    if draw.random() < TELLS:
        told.append(str(draw.choice(SENTENCES[cause])))
    if draw.random() < MISLEADS:
        other = str(draw.choice([name for name in CAUSES if name != cause]))
        told.append(str(draw.choice(SENTENCES[other])))
    return " ".join(told[index] for index in draw.permutation(len(told))).format(service=service)


def playbook(cause: str, draw: np.random.Generator) -> str | None:
    """The playbook that was opened; none for one incident in ten."""
    if draw.random() < 0.1:
        return None
    meant = cause if draw.random() < PLAYBOOK_RIGHT else str(draw.choice(LOOKS_LIKE[cause]))
    return str(draw.choice([name for name, treats in PLAYBOOKS.items() if treats == meant]))


def measurements(cause: str, draw: np.random.Generator) -> tuple[float | None, float, float, float]:
    """(minutes since the last deployment, processor in use, packets lost, share of errors that come from upstream)."""
    deploy = draw.exponential(25) if cause == "bad-deploy" else draw.exponential(600)
    processor = draw.beta(14, 2) if cause == "capacity" else draw.beta(5, 3 if cause == "dependency" else 5)
    loss = draw.gamma(2, 0.02) if cause == "network" else draw.gamma(1, 0.004)
    upstream = draw.beta(6, 3) if cause == "dependency" else draw.beta(3, 6) if cause == "network" else draw.beta(2, 9)
    minutes = None if draw.random() < 0.05 else round(float(deploy), 1)
    return minutes, round(float(processor), 3), round(float(min(loss, 1.0)), 4), round(float(upstream), 3)


def write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def main() -> None:
    draw, folder = np.random.default_rng(SEED), Path(__file__).parent
    causes = [str(cause) for cause in draw.choice(CAUSES, size=ROWS, p=SHARES)]
    rows = [incident(number, cause, draw) for number, cause in enumerate(causes)]
    write(folder / "incidents.csv", COLUMNS, rows)
    gold = [(row[0], cause) for row, cause in zip(rows, causes, strict=True)]
    write(folder / "gold.csv", ("incident_id", "root_cause"), gold[::GOLD_EVERY])
    write(folder / "playbooks.csv", ("playbook", "treats"), sorted(PLAYBOOKS.items()))


if __name__ == "__main__":
    main()
