"""Serves at the socket that circusd opened. At SIGTERM it takes no new connections, answers all it has, and ends."""

import asyncio
import os
import signal
import socket
import sys


async def answer(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        await reader.readuntil(b"\r\n\r\n")
        body = f"hello from process {os.getpid()}\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        writer.close()


async def main(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    answers: set[asyncio.Task[None]] = set()

    # asyncio.start_server would drop what it has just accepted when it is closed, so this accepts by itself.
    def accept() -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return  # another process was faster
        task = loop.create_task(answer(connection))
        answers.add(task)
        task.add_done_callback(answers.discard)

    loop.add_reader(listener, accept)
    await ended.wait()
    loop.remove_reader(listener)
    await asyncio.gather(*answers)


asyncio.run(main(int(sys.argv[1])))
