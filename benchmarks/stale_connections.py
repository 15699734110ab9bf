"""How often a POST fails because the server was just closing the connection: stock requests and ours, in one run.

The server closes connections that idled for five seconds, as many do by default; a relay delays every byte and
every close by ten milliseconds each way. Each client pauses for about as long as the server waits, so that the
request and the close meet on the way. Run it with ``python benchmarks/stale_connections.py``, for half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import requests

from resilient_session import resilient_session

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 5.0
DELAY = 0.01
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until nothing has come for `IDLE` seconds."""
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE)
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(ANSWER)
    writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, the end included, after the delay."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            loop.call_later(DELAY, writer.write, data)
    await asyncio.sleep(DELAY)
    writer.close()


async def run_server(ready: Callable[[int], None], over: asyncio.Event) -> None:
    """Run the server and the relay before it until it is over."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    relaying = await asyncio.start_server(relay, "127.0.0.1", 0, backlog=1024)
    ready(relaying.sockets[0].getsockname()[1])
    await over.wait()


def start_server() -> tuple[int, Callable[[], object]]:
    """Start server and relay in a thread; return the relay's port, and what stops them."""
    port: list[int] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    def ready(number: int) -> None:
        port.append(number)
        started.set()

    threading.Thread(target=lambda: loop.run_until_complete(run_server(ready, over)), daemon=True).start()
    started.wait()
    return port[0], lambda: loop.call_soon_threadsafe(over.set)


def post(session: requests.Session, url: str, posts: int, seed: int) -> int:
    """Send POSTs in the worst moments; count those that failed."""
    chance = random.Random(seed)  # noqa: S311
    failed = 0
    with session:
        session.post(url, data="first")
        for _ in range(posts):
            time.sleep(IDLE - chance.uniform(0, 2.5 * DELAY))
            try:
                session.post(url, data="order")
            except requests.ConnectionError:
                failed += 1
                session.post(url, data="again")
    return failed


def main() -> None:
    """Measure, and print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--posts", type=int, default=5, help="by each client")
    given = parser.parse_args()
    port, stop = start_server()
    url = f"http://127.0.0.1:{port}/"
    kinds = {"stock requests": requests.Session, "resilient_session()": lambda: resilient_session(logger=None)}
    with ThreadPoolExecutor(2 * given.clients) as executor:
        running = {
            name: [executor.submit(post, make(), url, given.posts, seed) for seed in range(given.clients)]
            for name, make in kinds.items()
        }
        for name, futures in running.items():
            failed, sent = sum(future.result() for future in futures), given.clients * given.posts
            print(f"{name}: {failed} of {sent} POSTs failed ({failed / sent:.1%})")
    stop()


if __name__ == "__main__":
    main()
