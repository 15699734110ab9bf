"""The server that the benchmarks ask, in a process of its own: it must cost the client nothing but the answer.

``python benchmarks/server.py CERTIFICATE`` prints two ports, of HTTP and of HTTPS, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys

BIG = b"x" * 20_000_000
USUAL = (
    "Date: Fri, 27 Nov 2026 08:00:00 GMT",
    "Server: nginx",
    "Connection: keep-alive",
    "Cache-Control: no-cache, no-store, must-revalidate",
    "Vary: Accept-Encoding",
    "X-Request-Id: 7d0f6a34-2a62-4a11-8b7c-1f6f2f9c5d1e",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Referrer-Policy: no-referrer",
    "Strict-Transport-Security: max-age=31536000; includeSubDomains",
)
"""What an API behind a proxy sends beside the length and the type."""


def answer(status: str, body: bytes = b"ok", *headers: str) -> bytes:
    """Put an answer together."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, *USUAL, "", ""]
    return "\r\n".join(lines).encode() + body


ANSWERS = {
    b"/503": answer("503 Service Unavailable", b""),
    b"/redirect": answer("302 Found", b"", "Location: /"),
    b"/cookie": answer("200 OK", b"ok", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/"),
    b"/json": answer("200 OK", b'{"tea": [1, 2, 3]}', "Content-Type: application/json"),
    b"/big": answer("200 OK", BIG),
}
OK = answer("200 OK", b"ok", "Content-Type: text/plain")
CLOSING = OK.replace(b"keep-alive", b"close")
FLAKY = {
    f"/{kind}/{failures}".encode(): itertools.cycle((*(True,) * failures, False))
    for kind in ("flaky", "resets")
    for failures in (1, 3)
}
"""Paths of which so many requests fail before one succeeds, on whatever connection: not every client keeps one."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection. Some paths fail: see `FLAKY`."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            lower = head.lower()
            if b"transfer-encoding: chunked" in lower:
                await reader.readuntil(b"0\r\n\r\n")
            else:
                await reader.readexactly(int(lower.partition(b"content-length: ")[2].split(b"\r", 1)[0] or 0))
            if path == b"/slow":
                await asyncio.sleep(0.02)
            if path == b"/close":
                writer.write(CLOSING)
                break
            failing = path in FLAKY and next(FLAKY[path])
            if failing and path.startswith(b"/resets"):
                writer.transport.abort()
                break
            writer.write(ANSWERS[b"/503"] if failing else ANSWERS.get(path, OK))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(certificate: str) -> None:
    """Serve with and without TLS until the input ends."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    plain = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    secure = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024, ssl=tls)
    print(*(server.sockets[0].getsockname()[1] for server in (plain, secure)), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
