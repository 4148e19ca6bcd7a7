"""Plugins as people wrote them for Circus: nothing here knows of circus-bus."""

import json

from tornado.ioloop import PeriodicCallback

from circus import logger
from circus.plugins import CircusPlugin
from circus.plugins.statsd import BaseObserver


class Journal(CircusPlugin):
    """Keeps every event in a file."""

    name = "journal"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.filename = config.get("filename")
        self.file = None

    def handle_init(self):
        self.file = open(self.filename, "a+", buffering=1)  # noqa: SIM115

    def handle_stop(self):
        self.write("stopped")
        self.file.close()

    def handle_recv(self, data):
        watcher, action, message = self.split_data(data)
        self.write(watcher, action, self.load_message(message))

    def write(self, *said):
        self.file.write(json.dumps(said) + "\n")


class Configured(Journal):
    """Tells what it was given, and takes its name from it."""

    def __init__(self, endpoint, pubsub_endpoint, check_delay, ssh_server, **config):
        super().__init__(endpoint, pubsub_endpoint, check_delay, ssh_server, **config)
        self.name = self.config.get("name")

    def handle_init(self):
        super().handle_init()
        logger.warning("journal of %s begins", self.name)
        self.write(self.name, self.check_delay, self.ssh_server, self.active, self.config)

    def handle_recv(self, data):
        pass


class Curious(Journal):
    """Asks for circusd's watchers before it is ready."""

    def handle_init(self):
        super().handle_init()
        self.write("known", self.call("list")["watchers"], self.call("options", name="app")["options"]["cmd"])


class Asking(Journal):
    """Asks circusd as soon as its loop runs, then again and again, and answers an event with an order."""

    def handle_init(self):
        super().handle_init()
        self.loop.add_timeout(0, self.first)

    def first(self):
        self.write("first", self.call("list")["watchers"], self.call("options", name="nobody"))
        self.period = PeriodicCallback(self.again, 10)
        self.period.start()

    def again(self):
        self.write("again", self.call("numprocesses", name="app")["numprocesses"])
        self.period.stop()
        self.cast("incr", name="app")

    def handle_recv(self, data):
        super().handle_recv(data)
        if self.split_data(data)[:2] == ("app", "updated"):
            self.cast("decr", name="app")


class Ending(Journal):
    """Has enough when an option changes, as its own `stop` says."""

    def handle_recv(self, data):
        super().handle_recv(data)
        if self.split_data(data)[1] == "updated":
            self.stop()

    def stop(self):
        self.write("enough")
        super().stop()


class OwnSockets(Journal):
    """Uses the sockets that the base class made."""

    def initialize(self):
        super().initialize()
        self.substream.on_recv(self.other)
        self.client.send(json.dumps({"command": "list", "id": "own"}).encode())
        self.write("client", json.loads(self.client.recv())["id"])

    def handle_recv(self, data):
        self.write("never")

    def other(self, data):
        self.write("other", data[0].decode())


class Observer(BaseObserver):
    """Sends a number to statsd now and then."""

    def look_after(self):
        answer = self.call("numprocesses", name="app")
        self.statsd.gauge("app.numprocesses", answer["numprocesses"])


class Failing(Journal):
    """Never gets ready."""

    def handle_init(self):
        raise RuntimeError("no bread")


class Slow(Journal):
    """Handles events in a coroutine."""

    async def handle_recv(self, data):
        super().handle_recv(data)
