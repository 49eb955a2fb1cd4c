"""A server in this process that speaks the chat protocol, and fails as such servers do."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO


@dataclass
class Reply:
    """One answer."""

    body: bytes | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    drip_s: float = 0.0
    """Pause after each byte, from the first of the status line on."""


def completion(*texts: str | None, **message: object) -> Reply:
    """Choices as a server gives them."""
    choices = [
        {
            "index": i,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": text, **message},
        }
        for i, text in enumerate(texts)
    ]
    return Reply({"id": "1", "object": "chat.completion", "model": "small", "choices": choices})


@dataclass
class Chat:
    """A running server: what it is asked, and where it stands."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class Dripping:
    """A stream that sends one byte at a time."""

    def __init__(self, stream: BinaryIO, pause: Callable[[], object]) -> None:
        self.stream, self.pause = stream, pause
        self.closed = False

    def write(self, data: bytes) -> None:
        for byte in data:
            self.stream.write(bytes([byte]))
            self.stream.flush()
            self.pause()

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        self.closed = True
        self.stream.close()


@contextlib.contextmanager
def chatting(*replies: Reply | Callable[[dict[str, Any]], Reply]) -> Iterator[Chat]:
    """Serve `/v1/chat/completions`; the last reply is given again and again."""
    left = list(replies)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                return self.answer(Reply({"error": {"message": "no such route"}}, 404))
            chat.asked.append(asked)
            chat.headers.append(dict(self.headers))
            reply = left.pop(0) if len(left) > 1 else left[0]
            return self.answer(reply if isinstance(reply, Reply) else reply(asked))

        def answer(self, reply: Reply) -> None:
            over.wait(reply.pause_s)
            if reply.drip_s:
                self.wfile = Dripping(self.wfile, lambda: over.wait(reply.drip_s))
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    chat = Chat(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield chat
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
