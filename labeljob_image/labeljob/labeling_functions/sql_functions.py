"""What a `sql` labeling function may call: deterministic functions whose time and output are bounded by their input.

Left out on purpose: the clock and random numbers; aggregates and windows (a labeling function sees one row); builders of
lists or long text (`range`, `repeat`, `rpad`, `format`, `hex`, which can be nested until memory is gone: DuckDB's memory
limit does not count them); edit distances (quadratic); time zones and collations (they depend on installed data).
"""

from types import MappingProxyType

ARITHMETIC = frozenset(
    {
        "+", "-", "*", "/", "//", "%", "**", "^", "abs", "ceil", "ceiling", "floor", "round", "trunc", "sign", "sqrt", "cbrt", "exp",
        "ln", "log", "log2", "log10", "pow", "power", "mod", "greatest", "least", "isnan", "isinf", "isfinite",
    }
)
TEXT = frozenset(
    {
        "length", "len", "strlen", "char_length", "character_length", "contains", "starts_with", "ends_with", "prefix", "suffix", "^@",
        "position", "strpos", "instr", "ascii", "unicode", "~~", "!~~", "~~*", "!~~*", "~~~", "like_escape", "not_like_escape",
        "ilike_escape", "not_ilike_escape", "regexp_matches", "regexp_full_match",
    }
)
TEXT_BUILDING = frozenset(
    {
        "lower", "upper", "trim", "ltrim", "rtrim", "substring", "substr", "left", "right", "reverse", "split_part", "replace", "concat",
        "concat_ws", "||", "nfc_normalize", "strip_accents", "regexp_extract", "regexp_replace", "md5", "sha256", "strftime", "dayname",
        "monthname",
    }
)
CONDITIONAL = frozenset({"if", "nullif"})
TIME = frozenset(
    {
        "date_part", "datepart", "date_trunc", "datetrunc", "date_diff", "datediff", "year", "month", "day", "hour", "minute", "second",
        "quarter", "week", "weekofyear", "dayofmonth", "dayofweek", "dayofyear", "isodow", "epoch", "epoch_ms", "last_day", "make_date",
        "make_timestamp", "strptime", "try_strptime", "to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes",
        "to_seconds", "to_milliseconds",
    }
)
ALLOWED = ARITHMETIC | TEXT | TEXT_BUILDING | CONDITIONAL | TIME

# All arguments after the first must be constants: patterns are compiled once, and replacements can be judged.
CONSTANT_ARGUMENTS = frozenset(
    {
        "regexp_matches", "regexp_full_match", "regexp_extract", "regexp_replace", "replace", "strftime", "strptime", "try_strptime",
    }
)
MAX_TEXT_BUILDING = 32  # calls and concatenated parts in one expression: each holds a copy of the text

TYPES = frozenset(
    {
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",
        "REAL", "DOUBLE", "DECIMAL", "NUMERIC", "VARCHAR", "TEXT", "STRING", "CHAR", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "BOOL",
        "INT8", "INT4", "INT2", "FLOAT8", "FLOAT4", "LONG", "SHORT", "DATETIME",
    }
)

_CLOCK = "the answer would change with time: compare with a column or a fixed timestamp"
_ONE_ROW = "a labeling function sees one row: compute it upstream and declare the column"
_UNBOUNDED = "its output is not bounded by its input: rewrite without it"
_GROUPS = {
    _CLOCK: (
        "now", "today", "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime", "age",
        "get_current_timestamp", "transaction_timestamp",
    ),
    "a labeling function must be deterministic": ("random", "uuid", "gen_random_uuid", "setseed", "nextval"),
    _ONE_ROW: ("count", "count_star", "sum", "avg", "min", "max", "list", "string_agg", "any_value", "median"),
    _UNBOUNDED: (
        "repeat", "range", "generate_series", "rpad", "lpad", "format", "printf", "hex", "list_value", "translate", "bar",
    ),
    "its time is quadratic: use a lookup or a regex": (
        "levenshtein", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity",
    ),
    "a labeling function reads declared columns only": (
        "query", "query_table", "read_csv", "read_text", "read_blob", "getenv", "getvariable",
    ),
}
REMEDIES = MappingProxyType({name: remedy for remedy, names in _GROUPS.items() for name in names})
