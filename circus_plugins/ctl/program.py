"""Takes one command line from its words to an exit status, over one connection that is made when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core import __version__
from circus_core.errors import CircusError, EndpointError
from circus_plugins.ctl import report
from circus_plugins.ctl.catalogue import OWN, find_in, from_schema, local
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.ctl.session import NoAnswerError, Session, advice
from circus_plugins.ctl.settings import Settings
from circus_plugins.ctl.syntax import read, split

if TYPE_CHECKING:
    from circus_core.requests import Command

ASIDE_TIMEOUT = 1.0
"""Seconds to wait for circusd where the answer is not the point: its further commands, names to suggest."""


class Program:
    """circusctl. `given` are global options that count for every line, as at the prompt."""

    def __init__(self, given: dict[str, Any] | None = None) -> None:
        self.given = given or {}
        self._session: Session | None = None

    def run(self, words: list[str]) -> int:
        """Do what the words say; everything that can go wrong is told on standard error. The exit status."""
        try:
            return self._run(words)
        except UsageError as error:
            report.mistake(error.message, error.hint, error.usage)
            return report.WRONG_USAGE
        except NoAnswerError as error:
            report.say(advice(error))
            return report.NO_ANSWER
        except EndpointError as error:
            report.mistake(error.message, error.hint)
            return report.WRONG_USAGE
        except CircusError as error:
            report.mistake(error.message, error.hint)
            return report.REFUSED
        except OSError as error:
            if error.filename is None:  # it is standard output that failed
                raise
            report.mistake(f"{error.filename}: {error.strerror}")
            return report.REFUSED
        except KeyboardInterrupt as error:
            report.say(" ".join(["\nInterrupted.", *getattr(error, "__notes__", ())]))
            return report.NO_ANSWER

    def _run(self, words: list[str]) -> int:
        given, rest = split(words)
        given = {**self.given, **given}
        if given.get("version"):
            print(f"circusctl {__version__}")
            return report.DONE
        if not rest:
            return self._without_command(given)
        command, words = find_in(rest, lambda: self._learn(rest[1:], given))
        properties, later = ({}, {}) if given.get("help") else read(command, words)
        given |= later
        if given.get("help"):
            from circus_plugins.ctl import manual

            learned = self.commands_of(Settings(given)) if manual.below_of(command, local().values()) else []
            print(manual.explanation(command, learned), end="")
            return report.DONE
        settings = Settings(given)
        if command.name in OWN:
            return self._own(command, properties, settings)
        return self._ask(command, properties, settings)

    def session(self, settings: Settings) -> Session:
        """The connection for these settings; the one before is kept if it will do."""
        if self._session is None or self._session.settings.connection() != settings.connection():
            self.close()
            self._session = Session(settings)
        self._session.settings = settings
        return self._session

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def commands_of(self, settings: Settings) -> list[Command]:
        """Every command of the running circusd, or none if it does not answer at once."""
        session = self.session(settings)
        try:
            if session.nobody_there():
                return []
            answer = session.ask("commands", {}, timeout=min(settings.timeout, ASIDE_TIMEOUT))
        except (NoAnswerError, CircusError):
            return []
        return [] if report.is_error(answer) else [from_schema(entry) for entry in answer["commands"]]

    def _learn(self, words: list[str], given: dict[str, Any]) -> list[Command]:
        from circus_plugins.ctl.parsers import global_parser

        later, _ = global_parser().parse_known_args(words)
        return self.commands_of(Settings({**given, **vars(later)}))

    def _without_command(self, given: dict[str, Any]) -> int:
        if given.pop("help", False):
            return self._help(Settings(given))
        from circus_plugins.ctl import prompt

        return prompt.interact(Program(given))

    def _help(self, settings: Settings) -> int:
        from circus_plugins.ctl import manual

        print(manual.overview(self.commands_of(settings)), end="")
        return report.DONE

    def _ask(self, command: Command, properties: dict[str, Any], settings: Settings) -> int:
        session = self.session(settings)
        if isinstance(properties.get("options"), dict) and not command.name.startswith("plugins_"):
            from circus_plugins.ctl import watching

            properties["options"] = watching.typed(properties["options"], session)
        if command.name == "status" and report.for_people(settings):
            properties["extended"] = True
        if command.waits and properties.get("waiting"):
            answer = session.wait_for(command.name, properties)
        else:
            answer = session.ask(command.name, properties)
        return report.reply(command.name, properties, answer, settings)

    def _follow(self, command: Command, properties: dict[str, Any], settings: Settings) -> int:
        if command.name == "tail":
            from circus_plugins.ctl import tailing

            return tailing.tail(self.session(settings), properties)
        from circus_plugins.ctl import following

        if command.name == "listen":
            return following.listen(self.session(settings), properties.get("topics", []))
        return following.events(self.session(settings), properties)

    def _own(self, command: Command, properties: dict[str, Any], settings: Settings) -> int:
        match command.name:
            case "listen" | "events" | "tail":
                try:
                    return self._follow(command, properties, settings)
                except KeyboardInterrupt:
                    return report.INTERRUPTED
            case "keys":
                from circus_plugins.ctl import locksmith

                return locksmith.run(properties, settings)
            case "plugins_new":
                from circus_plugins.ctl import scaffold

                return scaffold.run(properties)
            case "completion":
                from circus_plugins.ctl import completion

                print(completion.script(properties["shell"]))
                return report.DONE
        topic = properties.get("topic")
        return self._run([*topic, "--help"]) if topic else self._help(settings)
