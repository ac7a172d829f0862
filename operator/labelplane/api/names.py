"""Names of the Jobs we own: the owner's name, a digest, and where it matters a number. At most 57 characters, so that pods fit in 63,
their index among them."""

LIMIT = 57


def child_name(owner: str, *parts: str) -> str:
    """`<owner…>-<part>-<part>`: the owner's name is cut so that the whole fits; the digest among the parts keeps it unique."""
    tail = "-".join(parts)
    head = owner[: LIMIT - len(tail) - 1].rstrip("-.")
    return f"{head}-{tail}"


def run_name(owner: str, digest: str, sequence: int, *suffix: str) -> str:
    """Name of the Job of a run, and of the run in every row: `<name…>-<digest10>-<sequence>`; with a suffix, of another Job of it."""
    return child_name(owner, digest[:10], str(sequence), *suffix)


def app_id(namespace: str, name: str) -> str:
    """The Delta application transaction of a LabelJob, for ever."""
    return f"labelplane/{namespace}/{name}"
