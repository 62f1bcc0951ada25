import socket

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Let no test reach beyond this machine: what passes here passes without a network."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to connect to {address}; tests run offline")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
