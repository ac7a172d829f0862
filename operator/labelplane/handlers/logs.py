"""Logs as one JSON object a line: what happened to which resource, never what a resource contains."""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """ts, level, logger, msg and, where known, kind, namespace, name."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        about = {"kind": "kind", "namespace": "namespace", "name": "resource"}
        line |= {field: getattr(record, attribute) for field, attribute in about.items() if hasattr(record, attribute)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def set_up_logs(level: str = "INFO") -> None:
    """Everything to stderr as JSON; libraries speak only of trouble."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("kopf", "aiohttp", "asyncio", "kubernetes"):
        logging.getLogger(library).setLevel(logging.WARNING)
