"""A proxy before an object store that fails as a store, or the way to it, does: before a request is applied, or after it.

It is a process of its own: deltalake holds the interpreter's lock while it waits for an answer, which a thread could then not give.
"""

import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["refuse", "lose-reply", "break-off", "forget-conditions"]
CONTROL = "/-/"
SLOW_DOWN = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
INTERNAL = SLOW_DOWN.replace(b"SlowDown", b"InternalError")


@dataclass(frozen=True)
class Rule:
    """Requests whose `METHOD path` the pattern finds fail so: the first `times` of them, or all but each `spared`th.

    refuse             503 SlowDown, nothing is applied
    lose-reply         it is applied, and answered with 500
    break-off          it is applied, and the connection ends without an answer
    forget-conditions  where the store refuses because a condition does not hold, 200 is answered, as by a store that knows none
    """

    fault: Fault
    pattern: str = ""
    times: int | None = None
    spared: int | None = None


@dataclass(frozen=True)
class FaultProxy:
    """The way to a proxy that runs."""

    endpoint: str

    def fail(self, fault: Fault, pattern: str = "", *, times: int | None = None, spared: int | None = None) -> None:
        """From now on this rule holds, and what was seen is forgotten."""
        self._call("PUT", "rule", json.dumps(asdict(Rule(fault, pattern, times, spared))))

    def heal(self) -> None:
        """From now on nothing fails, and what was seen is forgotten."""
        self._call("DELETE", "rule")

    def seen(self) -> list[str]:
        """`METHOD path` of every request since."""
        return list(self._call("GET", "seen")["seen"])

    def failed(self) -> list[str]:
        """Those that failed."""
        return list(self._call("GET", "seen")["failed"])

    def _call(self, method: str, what: str, body: str | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc)
        try:
            connection.request(method, CONTROL + what, body=body)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before `upstream`, ended with the block."""
    command = [sys.executable, str(Path(__file__)), upstream]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            yield FaultProxy(f"http://127.0.0.1:{int(child.stdout.readline())}")
        finally:
            child.terminate()


@dataclass
class State:
    """Of a running proxy."""

    upstream: str
    rule: Rule | None = None
    matched: int = 0
    seen: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, rule: Rule | None) -> None:
        with self.lock:
            self.rule, self.matched, self.seen, self.failed = rule, 0, [], []

    def fault_of(self, request: str) -> Fault | None:
        """How this request fails; it is noted."""
        with self.lock:
            self.seen.append(request)
            rule = self.rule
            if rule is None or not re.search(rule.pattern, request):
                return None
            self.matched += 1
            if (rule.times is not None and self.matched > rule.times) or (rule.spared is not None and self.matched % rule.spared == 0):
                return None
            self.failed.append(request)
            return rule.fault


class Handler(BaseHTTPRequestHandler):
    """Passes requests on, or does not, as the rule says."""

    protocol_version = "HTTP/1.1"
    state: State

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith(CONTROL):
            self._answer(200, {}, json.dumps(self._controlled(body)).encode())
            return
        fault = self.state.fault_of(f"{self.command} {self.path}")
        if fault == "refuse":
            self._answer(503, {}, SLOW_DOWN)
            return
        status, headers, content = self._applied(body)
        if fault == "break-off":
            self.close_connection = True
        elif fault == "lose-reply":
            self._answer(500, {}, INTERNAL)
        elif fault == "forget-conditions" and status == http.HTTPStatus.PRECONDITION_FAILED:
            self._answer(200, {"ETag": '"replaced"'}, b"")
        else:
            self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 the names that the base class looks for

    def _controlled(self, body: bytes) -> dict[str, list[str]]:
        if self.command != "GET":
            self.state.set(Rule(**json.loads(body)) if body else None)
        return {"seen": self.state.seen, "failed": self.state.failed}

    def _applied(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What upstream answers. The Host stays as it was signed."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection = http.client.HTTPConnection(urlsplit(self.state.upstream).netloc)
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "server", "date", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nothing: `seen` has it."""


def main(upstream: str) -> None:
    """Serve until the process is ended; the port is the only line of output."""
    handler = type("BoundHandler", (Handler,), {"state": State(upstream)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
