"""`uvicorn --fd N app:app`, but for its end: every connection that it has accepted gets an answer."""

import asyncio
import sys

import uvicorn

QUIET = 0.5
"""Seconds that clients who are connected get to send what they want."""


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        # uvicorn itself closes connections whose request it has not read yet, and asyncio those that it has just
        # accepted. So: no new ones; a moment for those that are there, who are told that it is the last answer.
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                loop.remove_reader(listener.fileno())
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        await asyncio.sleep(QUIET)
        await super().shutdown(sockets)


Server(uvicorn.Config("app:app", fd=int(sys.argv[1]), timeout_graceful_shutdown=30, access_log=False)).run()
