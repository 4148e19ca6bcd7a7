"""Sends each datagram back in capitals. At SIGTERM it takes no more: what waits in the socket is for the others."""

import asyncio
import signal
import socket
import sys


async def main(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    datagrams = socket.socket(fileno=descriptor)
    datagrams.setblocking(False)

    def answer() -> None:
        try:
            datagram, sender = datagrams.recvfrom(65536)
        except BlockingIOError:
            return  # another process was faster
        datagrams.sendto(datagram.upper(), sender)

    loop.add_reader(datagrams, answer)
    await ended.wait()
    loop.remove_reader(datagrams)


asyncio.run(main(int(sys.argv[1])))
