"""A real Redis or Valkey server, and a proxy before it that makes faults."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import threading
import time

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
MISSING = "needs redis-server or valkey-server: apt install redis-server"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """A server on a free port that keeps nothing on disk."""

    def __init__(self, *options, config=None):
        self.port = free_port()
        self._options = options if config is None else ("--sentinel",)
        self._config = [] if config is None else [str(config)]
        self._process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        saving = [] if self._config else ["--save", ""]
        place = ["--port", str(self.port), "--bind", "127.0.0.1"]
        command = [BINARY, *self._config, *place, *saving, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        end = time.monotonic() + 20
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", self.port)):
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.01)
        return self

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class FaultProxy:
    """Passes on what a client and the server say, unless a fault is set.

    Attributes:
        fault: None; "slow" (half a second late), "black hole", "reset", "drip" (a byte of the reply at a time), or
            the raw text of what scripts get as their reply.
        connections: how many were accepted.
        scripts: how many were seen.
    """

    def __init__(self, port):
        self.fault = None
        self.connections = self.scripts = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def close(self):
        self._listener.close()
        self.cut()

    def cut(self):
        """End all connections with a reset."""
        while self._open:
            reset(self._open.pop())

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.fault == "reset":
            reset(client)
            return
        with contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._target), 5)
            self._open += [client, server]
            threading.Thread(target=self._pump, args=(server, client, self._reply), daemon=True).start()
            self._pump(client, server, self._request)

    def _pump(self, source, sink, act):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                act(data, source, sink)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        source.close()

    def _request(self, data, client, server):
        fault, is_script = self.fault, b"EVAL" in data
        self.scripts += is_script
        if fault == "slow":
            time.sleep(0.5)
        if fault == "reset":
            reset(client)
        elif fault == "black hole":
            pass
        elif fault in {None, "slow", "drip"} or not is_script:
            server.sendall(data)
        else:
            client.sendall(f"{fault}\r\n".encode())

    def _reply(self, data, server, client):
        if self.fault != "drip":
            client.sendall(data)
            return
        for byte in data:
            client.sendall(bytes([byte]))
            time.sleep(0.1)


def reset(sock):
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
