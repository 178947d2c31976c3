"""Log lines of the serving process: one JSON object a line, on standard error.

Only a process that serves sets this up; the library's modules just log. No client's id is ever
a field: routes are logged by template, errors by type.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime

import orjson

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, and the fields given in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


class CutOff(logging.Filter):
    """What a second Ctrl+C cuts off is a line of uvicorn's log, not a traceback: nothing is wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for the end of the lifespan; a request that was in progress is said in words."""
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            record.msg, record.args, record.exc_info = "request cut off by the stop", (), None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return not record.getMessage().rstrip().endswith("asyncio.exceptions.CancelledError")


def set_up_logging(level: str) -> None:
    """Send this process's log to standard error as JSON lines, from `level` up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    errors = logging.getLogger("uvicorn.error")
    errors.filters[:] = [CutOff()]
    # Paths hold clients' ids: metrics count requests by route instead of a line each.
    access = logging.getLogger("uvicorn.access")
    access.handlers[:] = []
    access.propagate = False
