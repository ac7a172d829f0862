"""CSV (RFC 4180, UTF-8, one header line). Values are text until the declared type reads them; an empty field is null."""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pc_csv

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io import typed
from labeljob.io.content import verified
from labeljob.io.places import Place
from labeljob.io.source import BATCH_BYTES, BATCH_ROWS, ReadType, Rows, rebatch

BLOCK_BYTES = 8 << 20  # the longest line that can be read


class CsvSource:
    """One CSV file."""

    def __init__(self, path: Place, uri: str, digest: str | None = None) -> None:
        self._path, self._uri, self._digest = path, uri, digest

    def types(self) -> Mapping[str, pa.DataType | None]:
        with self._path.open("rb") as file:
            names = self._open(file).schema.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            places = [str(place) for place, name in enumerate(names, start=1) if name == repeated[0]]  # in a file without a header, names are values
            raise _unreadable(self._uri, f"columns {' and '.join(places)} have one name, which appears more than once: rename one, or give the file a header")
        return dict.fromkeys(names)

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        with verified(self._path, self._digest, self._uri) as file:
            for batch in rebatch(self._text(file, list(columns)), batch_rows, BATCH_BYTES):
                yield typed.rows({name: typed.parse(batch.column(name), kind) for name, kind in columns.items()})

    def table(self) -> pa.Table:
        """The whole file, every column as text."""
        names = list(self.types())
        with self._path.open("rb") as file:
            return pa.Table.from_batches(self._text(file, names), schema=pa.schema([(name, pa.string()) for name in names]))

    def _text(self, file: BinaryIO, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._open(file, columns)
        except pa.ArrowInvalid as error:
            raise _unreadable(self._uri, _without_content(str(error))) from None

    def _open(self, file: BinaryIO, columns: list[str] | None = None) -> pc_csv.CSVStreamingReader:
        convert = pc_csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns or [], pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        try:
            return pc_csv.open_csv(
                file,
                read_options=pc_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                parse_options=pc_csv.ParseOptions(newlines_in_values=True),
                convert_options=convert,
            )
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise _unreadable(self._uri, _without_content(str(error))) from None
        except KeyError:
            raise _unreadable(self._uri, "a column is missing") from None


def _without_content(message: str) -> str:
    """What is wrong, without the text of the row that the parser quotes (F5)."""
    if found := re.search(r"(Row #\d+: )?Expected \d+ columns, got \d+", message):
        return f"{found.group(0)}: quote fields that hold commas or line breaks"
    if "UTF8" in message or "utf-8" in message:
        return "it is not UTF-8: convert it"
    if "Empty CSV" in message:
        return "it is empty: give it a header line"
    if "straddling" in message:
        return f"a line is longer than {BLOCK_BYTES >> 20} MiB: check the quotes"
    return "it is not CSV: check quotes and separators"


def _unreadable(uri: str, why: str) -> JobError:
    return JobError(JobReason.SOURCE_UNREADABLE, f"{uri}: {why}")
