"""A SOCKS5 proxy on loopback that knows names of its own: every name is the one server behind it."""

from __future__ import annotations

import contextlib
import socket
import threading


class SocksProxy:
    """Forward each connection to one port, and remember the names that were asked for."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"socks5h://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SocksProxy:  # noqa: PYI034 - Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), client.makefile("rb") as asking:
            asking.read(asking.read(2)[1])
            client.sendall(b"\x05\x00")
            asking.read(4)
            self.asked.append(asking.read(asking.read(1)[0]).decode())
            asking.read(2)
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
