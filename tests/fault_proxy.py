"""A proxy before an object store that fails as a store, or the way to it, does: before a request is applied, or after it."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["refuse", "lose-reply", "break-off", "ignore-conditions"]
SLOW_DOWN = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


@dataclass(frozen=True)
class Request:
    """What a rule looks at; `count` of the requests that this proxy has seen, this one included."""

    method: str
    path: str
    count: int


@dataclass
class FaultProxy:
    """`rule` says how a request fails; None: it does not.

    refuse             503 SlowDown, nothing is applied
    lose-reply         it is applied, and answered with 500
    break-off          it is applied, and the connection ends without an answer
    ignore-conditions  it is applied without its If-None-Match and If-Match, as by a store that does not know them
    """

    endpoint: str
    rule: Callable[[Request], Fault | None] = lambda request: None
    seen: list[Request] = field(default_factory=list)
    failed: list[Request] = field(default_factory=list)

    def first(self, times: int, fault: Fault, matches: Callable[[Request], bool] = lambda request: True) -> None:
        """From now on the first `times` requests that match fail so."""
        left, lock = [times], threading.Lock()

        def rule(request: Request) -> Fault | None:
            with lock:
                if not matches(request) or not left[0]:
                    return None
                left[0] -= 1
                return fault

        self.rule = rule


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before `upstream`, ended with the block."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = FaultProxy(f"http://127.0.0.1:{server.server_port}")
    server.proxy, server.upstream = proxy, upstream
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Passes requests on, or does not, as the server's proxy says."""

    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        server: Any = self.server
        proxy: FaultProxy = server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, len(proxy.seen) + 1)
        proxy.seen.append(request)
        fault = proxy.rule(request)
        if fault is not None:
            proxy.failed.append(request)
        if fault == "refuse":
            self._answer(503, {}, SLOW_DOWN)
            return
        status, headers, content = self._applied(server.upstream, body, without_conditions=fault == "ignore-conditions")
        if fault == "break-off":
            self.close_connection = True
        elif fault == "lose-reply":
            self._answer(500, {}, SLOW_DOWN.replace(b"SlowDown", b"InternalError"))
        else:
            self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 the names that the base class looks for

    def _applied(self, upstream: str, body: bytes, *, without_conditions: bool) -> tuple[int, dict[str, str], bytes]:
        """What upstream answers. The Host stays as it was signed; conditions are not signed."""
        dropped = {"connection", *(("if-none-match", "if-match") if without_conditions else ())}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        address = urlsplit(upstream)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
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
