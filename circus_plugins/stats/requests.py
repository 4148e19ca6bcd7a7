"""The commands about what processes use and used: names, arguments, roles, help. They run nothing here."""

from __future__ import annotations

from circus_core.requests import NAME, Argument, Command, Role

FIGURES = "in the keys of Circus: cpu in percent of one core, mem in percent of the machine's memory, and others"
EXTENDED = Argument(
    "extended", "boolean", "Add threads, open files, bytes read and written, restarts and the cgroup.", default=False
)
PSS = Argument(
    "pss", "boolean", "With extended: the share of memory that is its own, which takes long to find out.", default=False
)

STATS = Command(
    "stats", Role.VIEW, "Show what processes use.", NAME,
    Argument("process", "integer", "Only the process with this pid.", positional=True),
    EXTENDED, PSS,
    help="The CPU figure is of the time since it was last asked for, of half a second at least; of a process that was"
    " not asked for within ten minutes, of its whole life.",
    replies={
        "infos": f"without a name: an object per watcher, of an object per pid, {FIGURES}",
        "info": "with a name: an object per pid; with a process: its object",
        "name": "with a name: as it was given",
        "process": "with a process: its pid",
    },
    example="circusctl stats web",
)  # fmt: skip
DSTATS = Command(
    "dstats", Role.VIEW, "Show what circusd itself uses.", EXTENDED, PSS,
    help="The CPU figure is as that of `stats`.",
    replies={"info": f"the object of circusd and, as `children`, of each process it started, {FIGURES}"},
    example="circusctl dstats",
)  # fmt: skip
HISTORY = Command(
    "history", Role.VIEW, "Show what watchers and processes used before.", NAME,
    Argument("process", "integer", "Only the process that has, or had last, this pid.", positional=True),
    Argument("last", "any", "How far back: seconds, or a time such as 10m or 24h; an hour if not given."),
    Argument("step", "any", "What one value is about, in seconds or as such a time, 0 for each look; if not given, as"
             " much as makes 120 values at most."),
    Argument("processes", "boolean", "Each process, too; with a name they are shown anyway."),
    help="It is kept where [plugin:stats] has `history = True`: each look of the last hour, and of the last day the"
    " mean and the most of each minute. No more than 60,000 values are answered: steps are longer where there would"
    " be more.",
    replies={
        "begin": "when the first value begins, in epoch seconds; value i is about the time from begin + i * step on",
        "step": "the seconds that a value is about",
        "points": "how many values each list has; one is null where nobody looked, or it was not there",
        "interval": "the seconds from one look to the next",
        "since": "since when anything is kept, in epoch seconds, or null",
        "looks_since": "since when each look is kept; before, values are those of whole minutes",
        "watchers": "an object per watcher, of lists: cpu in percent of one core, rss in bytes, processes; and, where a"
        " step is longer than a look, cpu_max and rss_max, the most there was, beside which the others are means",
        "processes": "a list per watcher, of an object per process: pid, wid, spawned_at, running, ended_at, and lists:"
        " as above, with threads in place of processes",
        "circusd": "without a name: lists for circusd itself",
        "left_out": "processes for which there was no room in the answer",
        "shortened": "in words, what is kept for a shorter time than it should be, for the lack of memory; or null",
        "size": "the bytes of memory that it takes",
    },
    example="circusctl history web --last 10m",
)  # fmt: skip
HISTORY_ANSWER = Command(
    "history_answer", Role.ADMIN, "Sent by the process that keeps the history: an answer, and for the next question.",
    Argument("pid", "integer", "Its pid.", required=True),
    Argument("number", "integer", "Which question was answered."),
    Argument("answer", "object", "The answer."),
    waits=True,
    replies={
        "number": "the number of the next question, or null: with waiting, once there is one",
        "question": "an object: name, process, processes, last, step",
        "replaced": "true: another process keeps the history, and is asked from now on",
    },
)  # fmt: skip
