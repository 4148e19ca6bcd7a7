"""Stands in for the program ssh: takes its options, forwards the socket here, and runs the command with sh."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading


def main() -> int:
    """What `Tunnel` needs of ssh(1); the arguments are kept in the file SSH_TOLD."""
    parser = argparse.ArgumentParser()
    for option in ("-T",):
        parser.add_argument(option, action="store_true")
    for option in ("-o", "-L", "-p", "-i"):
        parser.add_argument(option, action="append")
    parser.add_argument("host")
    parser.add_argument("command")
    given = parser.parse_args()
    with open(os.environ["SSH_TOLD"], "w", encoding="utf-8") as file:
        file.write(" ".join(sys.argv[1:]))
    if given.host == "nobody@nowhere":
        print("ssh: Could not resolve hostname nowhere", file=sys.stderr)
        return 255
    near, _, far = given.L[0].partition(":")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(near)
    listener.listen()
    threading.Thread(target=accept, args=(listener, far), daemon=True).start()
    print("Welcome to this machine.", flush=True)
    return subprocess.call(["/bin/sh", "-c", given.command])


def accept(listener: socket.socket, far: str) -> None:
    """Connect each client to the far end."""
    while True:
        client, _ = listener.accept()
        if far.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(far)
        else:
            host, _, port = far.rpartition(":")
            server = socket.create_connection((host, int(port)))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=copy, args=(one, other), daemon=True).start()


def copy(one: socket.socket, other: socket.socket) -> None:
    """Hand on what one says to the other."""
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main())
