"""The base class of Circus' plugins: their configuration, their calls and their sockets. It does not host itself.

circus-bus makes plugins without arguments. A class called so answers a `Guest`, which makes the plugin with everything
it expects once it is told what that is, in the plugin's own process.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

import zmq
from tornado.ioloop import IOLoop

from circus.exc import CallError
from circus.plugins.substream import Substream
from circus.util import get_connection, to_bool, to_str
from circus_core.errors import CircusError
from circus_plugins.client import Client, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 60.0
"""Seconds that circusd has to answer a `call`. Circus waits for ever, and then nobody can stop the plugin either."""


class CircusPlugin:
    """A plugin that was written for Circus: subclass it, and write `handle_recv`.

    `config` has the options of its section as texts. `loop` is tornado's, `client` and `sub_socket` are sockets of
    ZeroMQ, made when they are asked for; events come by the host, whether these are used or not.
    """

    name = ""
    key: Any = None

    def __new__(cls, *args: Any, **config: Any) -> Any:
        """A plugin, or, without any argument, the Guest that stands for one."""
        if args or config:
            return super().__new__(cls)
        from circus.plugins.guest import Guest

        return Guest(cls)

    def __init__(
        self,
        endpoint: str,
        pubsub_endpoint: str,
        check_delay: float,
        ssh_server: str | None = None,
        **config: Any,
    ) -> None:
        self.daemon = True
        self.endpoint = endpoint
        self.pubsub_endpoint = pubsub_endpoint
        self.check_delay = check_delay
        self.ssh_server = ssh_server
        self.config = config
        self.active = to_bool(config.get("active", True))
        self.running = False
        self.loop = _loop()
        self.substream = Substream(self.handle_recv)
        self._id = uuid.uuid4().hex.encode()
        self._caller: Client | None = None
        self._sockets: dict[str, zmq.Socket[Any]] = {}
        # Plugins call from threads of their own too, and a socket takes one at a time.
        self._turn = threading.Lock()

    # What plugins write

    def handle_init(self) -> None:
        """Called once before the first event."""

    def handle_recv(self, data: Sequence[bytes]) -> Any:
        """Called with each event of a watcher: its topic, and its payload as JSON."""
        raise NotImplementedError

    def handle_stop(self) -> None:
        """Called once at the end, SIGTERM included."""

    # What they call

    def call(self, command: str, **props: Any) -> dict[str, Any]:
        """Run a command; answers its reply, which may say `error`, and raises CallError if there is none."""
        with self._turn:
            try:
                patient = None if props.get("waiting") is True else PATIENCE
                return self._connected().request(command, props, timeout=patient)
            except NoAnswerError as error:
                raise CallError("Timed out.") from error
            except CircusError as error:
                raise CallError(str(error)) from error

    def cast(self, command: str, **props: Any) -> None:
        """Run a command without an answer."""
        with self._turn:
            self._connected().cast(command, **props)

    @staticmethod
    def split_data(data: Sequence[bytes]) -> tuple[str, str, bytes]:
        """The watcher, the action and the payload of what `handle_recv` gets."""
        topic, payload = data
        _kind, watcher, action = to_str(topic).split(".")[:3]
        return watcher, action, payload

    @staticmethod
    def load_message(msg: bytes) -> Any:
        """What a payload says."""
        return json.loads(msg)

    # Its life

    def initialize(self) -> None:
        """Get ready for events."""
        self.handle_init()

    def start(self) -> None:
        """Run by itself, without a host, until `stop`; raises ValueError if it is not active."""
        if not self.active:
            raise ValueError("Will not start an inactive plugin")
        from zmq.eventloop.zmqstream import ZMQStream

        self.loop.make_current()
        self.initialize()
        stream = ZMQStream(self.sub_socket, self.loop)
        stream.on_recv(self.substream.deliver)
        self.running = True
        try:
            self.loop.start()
        finally:
            stream.close()
            self.close()

    def stop(self) -> None:
        """End: `handle_stop` runs, and then its loop, or the process that hosts it, ends in good order."""
        self.handle_stop()
        self.running = False
        self.loop.add_callback(self.loop.stop)

    def close(self) -> None:
        """Close every socket that was made for it."""
        for socket in self._sockets.values():
            socket.close(0)
        self._sockets.clear()
        if self._caller is not None:
            self._caller.close()
            self._caller = None

    # Its sockets

    @property
    def context(self) -> zmq.Context[zmq.Socket[Any]]:
        """ZeroMQ's context of this process."""
        return zmq.Context.instance()

    @property
    def client(self) -> zmq.Socket[Any]:
        """A DEALER socket that is connected to the control endpoint; `call` and `cast` use another."""
        return self._socket("client", zmq.DEALER, self.endpoint, {zmq.IDENTITY: self._id})

    @property
    def sub_socket(self) -> zmq.Socket[Any]:
        """A SUB socket that is connected to the event endpoint and subscribed to the events of watchers."""
        return self._socket("sub_socket", zmq.SUB, self.pubsub_endpoint, {zmq.SUBSCRIBE: b"watcher."})

    def _socket(self, name: str, kind: int, endpoint: str, options: dict[int, bytes]) -> zmq.Socket[Any]:
        if name not in self._sockets:
            if self.key is not None:
                raise CallError("where circusd asks for keys, use call and cast, and events as handle_recv gets them")
            socket = self._sockets[name] = self.context.socket(kind)
            socket.setsockopt(zmq.LINGER, 0)
            for option, value in options.items():
                socket.setsockopt(option, value)
            get_connection(socket, endpoint, self.ssh_server)
        return self._sockets[name]

    def _connected(self) -> Client:
        if self._caller is None:
            self._caller = Client(self.endpoint, PATIENCE, key=self.key, ssh=self.ssh_server)
        return self._caller


def _loop() -> IOLoop:
    """The host's loop, in tornado's clothes; a new one where nobody hosts."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        loop: IOLoop = IOLoop(make_current=False)
    else:
        loop = IOLoop.current()
    return loop
