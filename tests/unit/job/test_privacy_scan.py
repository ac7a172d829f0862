"""Columns that look like personal data: which patterns, in how many values, and what is no such thing (F5)."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest

from labeljob.contract.datasets import Dataset
from labeljob.contract.privacy import PrivacyFinding
from labeljob.looks import Looks
from labeljob.personal_data import HOLDS, IS, PATTERNS, flags_of
from labeljob.privacy_scan import PEEK_ROWS, PrivacyScan
from labeljob.row_ids import keys_of
from labeljob.schema import check_contract
from tests.cluster_fixtures import ROOT
from tests.unit.job.builders import RESOURCES, delta, function_set, jsonl, pinned, text

ARE = {
    "email": ["ada@example.com", "A.B+c@mail.example.co.uk"],
    "phone": ["+44 20 7946 0958", "+4915112345678", "(555) 123-4567", "555-123-4567", "0170/1234567", "07700 900123"],
    "payment-card": ["4111111111111111", "5500-0000-0000-0004", "3782 822463 10005"],
    "ip-address": ["8.8.8.8", "10.1.2.3", "2606:4700:4700::1111"],
    "us-ssn": ["123-45-6789"],
    "iban": ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"],
}
ARE_NOT = [
    "ada at example.com", "@handle", "a@b", "v1.2.3", "2026-01-31T12:00:00Z", "2026-01-31 12:00:00.123456", "550e8400-e29b-41d4-a716-446655440000",
    "0000012345", "1234567890", "00:1B:44:11:3A:B7", "12:30:45", "127.0.0.1", "999.1.1.1", "000-12-3456", "123-00-4567", "4111111111111112",
    "DE89370400440532013001", "DE8937040044053201300", "order 12-34-56", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "3.14159", "",
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ARE.items() for value in values])
def test_a_value_that_is_one_and_a_text_that_holds_one(name: str, value: str) -> None:
    """F5: white space around a value does not count; a text that holds it is told from it."""
    place = [pattern.name for pattern in PATTERNS].index(name)
    whole, inside, _ = flags_of(pa.array([f" {value} ", f"write to {value}, please", None]))[:, place]
    assert (whole & IS, whole & HOLDS) == (IS, HOLDS)
    assert (inside & IS, inside & HOLDS) == (0, 0 if value == "10.1.2.3" else HOLDS)


@pytest.mark.parametrize("value", ARE_NOT)
def test_what_only_looks_like_it(value: str) -> None:
    assert not (flags_of(pa.array([value])) & HOLDS).any()


def scanned(column: pa.Array, batches: int = 1, sample: int = 10_000, **declared: object) -> list[PrivacyFinding]:
    scan = PrivacyScan(function_set([{"name": "x", "type": "string", **declared}]), sample)
    table = pa.table({"id": [f"r{i:06d}" for i in range(len(column))], "x": column.cast(pa.string())})
    for batch in table.to_batches(max_chunksize=max(1, -(-len(table) // batches))):
        scan.add(batch, keys_of(batch.column("id")))
    return scan.findings()


def brief(found: list[PrivacyFinding]) -> list[tuple[str, str, str, float]]:
    return [(one.column, one.pattern, one.how, one.share) for one in found]


def mails(share: float, n: int = 1000, form: str = "u{}@example.com") -> pa.Array:
    return pa.array([form.format(i) if i < share * n else "none" for i in range(n)])


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (mails(0.01), [("x", "email", "is", 0.01)]),
        (mails(0.009), []),
        (mails(0.1, form="from u{}@example.com"), [("x", "email", "holds", 0.1)]),
        (mails(0.09, form="from u{}@example.com"), []),
        (mails(0.01, form="paid with 4111 1111 1111 1111 ({})"), [("x", "payment-card", "holds", 0.01)]),
        (mails(0.2, n=10), []),  # two values are an accident
        (mails(1.0, n=2), [("x", "email", "is", 1.0)]),  # unless there are no others
        (pa.array([None, "", " "]), []),
        (pa.array([], pa.string()), []),
        (pa.array([*["u@example.com"] * 3, *[None] * 900]), [("x", "email", "is", 1.0)]),  # of values, not of rows
    ],
)
def test_shares_from_which_a_column_is_suspected(column: pa.Array, found: list[tuple[str, str, str, float]]) -> None:
    """F5: a hundredth of values that are one; a tenth that hold an address or a number, a hundredth where a check digit proves it."""
    assert brief(scanned(column)) == found


def test_numbers_are_no_cards_though_one_in_ten_has_a_luhn_digit() -> None:
    """F5: 16-digit numbers of other kinds; of real cards a few may be mistyped."""
    rng = random.Random(0)
    numbers = [f"4{rng.randrange(10**15):015d}" for _ in range(2000)]
    right = (flags_of(pa.array(numbers))[:, 2] & IS).mean()
    assert right > 0.05
    assert scanned(pa.array(numbers)) == []
    assert brief(scanned(pa.array(["4111111111111111"] * 70 + numbers[:30])))[0][:3] == ("x", "payment-card", "is")


def test_columns_of_the_examples_that_are_no_personal_data_raise_nothing() -> None:
    """F5: names, numbers, tickets, subjects and domains; senders, addresses in bodies of mails and account numbers are what they are."""
    found = set()
    for path in sorted((ROOT / "examples").rglob("*.csv")) + sorted((ROOT / "examples").rglob("*.parquet")):
        table = pq.read_table(path) if path.suffix == ".parquet" else pc_csv.read_csv(path)
        for name, column in zip(table.column_names, table.columns, strict=True):
            found |= {(path.name, name, one.pattern, one.how) for one in scanned(column.combine_chunks())}
    personal = {("mails.parquet", "sender", "email", "is"), ("mails.parquet", "body", "email", "holds"), ("payments.csv", "iban", "iban", "is")}
    assert found == personal


def test_the_sample_depends_on_ids_alone() -> None:
    """F5: the same rows in any batches, and no more than were asked for."""
    column = pa.array([f"u{i}@example.com" if i % 3 else "none" for i in range(5000)])
    several = [scanned(column, batches, sample=600)[0] for batches in (1, 7, 100)]
    assert several[0] == several[1] == several[2]
    assert several[0].sampled == 600
    assert 0.55 < several[0].share < 0.78


def test_scans_of_parts_are_one_scan(tmp_path: Path) -> None:
    """F5: as a run in shards has them, through another process."""
    declared = function_set([{"name": "x", "type": "string"}])
    ids = [f"r{i:05d}" for i in range(3000)]
    table = pa.table({"id": ids, "x": [f"u{i}@example.com" if i % 5 else "none" for i in range(3000)], "more": [f"by u{i}@example.com" for i in range(3000)]})
    whole, parts = PrivacyScan(declared, 1000), [PrivacyScan(declared, 1000) for _ in range(3)]
    for batch in table.to_batches():
        whole.add(batch, keys_of(batch.column("id")))
    for place, part in enumerate(parts):
        part.expect(len(ids))
        for batch in table.slice(place * 1000, 1000).to_batches():
            part.add(batch, keys_of(batch.column("id")))
    source = pinned(delta(tmp_path, "data", table), tmp_path)[1]
    whole.peek(source)
    parts[0].peek(source)
    merged = PrivacyScan(declared, 1000)
    for part in parts:
        merged.merge(PrivacyScan.from_text(declared, part.to_text(), 1000))
    assert merged.findings() == whole.findings()
    assert [(one.column, one.sampled) for one in merged.findings()] == [("x", 1000), ("more", 1000)]


@pytest.mark.parametrize(("declared", "names"), [({}, ["x"]), ({"sensitive": "none"}, []), ({"sensitive": "drop"}, []), ({"type": "int64"}, [])])
def test_columns_that_are_looked_at(declared: dict[str, object], names: list[str]) -> None:
    """F5: none says that people have looked; dropped and hashed values are withheld already."""
    assert [name for name in PrivacyScan(function_set([{"name": "x", "type": "string", **declared}])).columns if name != "id"] == names


def checked(folder: Path, dataset: Dataset, **changes: object) -> list[PrivacyFinding]:
    declared = function_set([{"name": "told", "type": "string"}, {"name": "gone", "type": "string", "sensitive": "drop"}], **changes)
    looks = Looks(declared)
    source = pinned(dataset, folder)[1]
    check_contract(source, declared, RESOURCES, lambda rows: None, 700, looks.add)
    looks.peek(source)
    return looks.scan.findings()


def test_columns_that_nobody_declared_are_looked_at_too(tmp_path: Path) -> None:
    """F5: of their first rows; ids as well, numbers not, and never a dropped column. The worst come first."""
    rows = 12 * PEEK_ROWS
    mail = [f"u{i}@example.com" for i in range(rows)]
    found = checked(tmp_path, delta(tmp_path, "data", pa.table({"id": mail, "told": [f"by {one}" for one in mail], "gone": mail, "more": mail, "n": range(rows)})))
    assert brief(found) == [("id", "email", "is", 1.0), ("more", "email", "is", 1.0), ("told", "email", "holds", 1.0)]
    assert [one.sampled for one in found] == [10_000] * 3


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_undeclared_columns_of_text_formats(tmp_path: Path, form: str) -> None:
    """F5."""
    given = [{"id": str(i), "told": "x", "gone": "u@example.com", "more": f"+4915112345{i:03d}"} for i in range(50)]
    lines = ["id,told,gone,more", *(",".join(row.values()) for row in given), ""]
    found = checked(tmp_path, text(tmp_path, "d.csv", "\n".join(lines)) if form == "csv" else jsonl(tmp_path, "d.jsonl", given))
    assert brief(found) == [("more", "phone", "is", 1.0)]
