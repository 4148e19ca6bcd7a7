"""sockets: requests/s of web servers at a socket of circusd, and which fail while processes come, go and are killed."""

import os
import re
import select
import signal
import subprocess
import time
from collections import Counter

import proc
from asking import Answers, Failure, asked
from bench import Bench, say
from install import NotHereError
from report import Column, Report
from servers import ASYNCIO, GUNICORN, UVICORN, WATCHER, WORKERS, Site, sites

NAMES = ("sockets", "unbroken")
TURNS = 10  # for each round: the shorter the turns and the more of them, the less one neighbour's work tells
SECONDS = 1
CONNECTIONS = 32
MANNERS = ("close", "keep-alive")
RELOADS = 20
STORM = 20
KILLS = 5
CLIENTS = 16
SOME = 100  # answers between two things that are done
PATIENCE = 30.0


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """`sockets` is about speed, `unbroken` about what fails."""
    reports = []
    if "sockets" in wanted:
        reports.append(_speed(bench))
    if "unbroken" in wanted:
        reports.append(_unbroken(bench))
    return reports


def _speed(bench: Bench) -> Report:
    """wrk asks one after the other, there and back, so that what else the machine does hits all of them alike.

    A connection for each request spreads them evenly. Kept ones stay with the process that took them, and one may have
    many more than the other.
    """
    columns = [
        Column("close", "a connection each: requests/s", 0, ratio=False),
        Column("close_us", "CPU us", 0, ratio=False),
        Column("close_beside", "ours/own", 3, ratio=False),
        Column("keep-alive", "kept: requests/s", 0, ratio=False),
        Column("keep-alive_us", "CPU us", 0, ratio=False),
        Column("keep-alive_beside", "ours/own", 3, ratio=False),
    ]
    title = f"{WORKERS} workers and wrk with {CONNECTIONS} connections"
    report = Report("sockets", title, columns)
    try:
        bench.cache.debian_peer("wrk", "wrk")
    except NotHereError as error:
        report.absent["wrk"] = str(error)
        return report
    kinds = [(kind, own) for kind in (GUNICORN, UVICORN) for own in (False, True)]
    with sites(bench.cache, kinds, report.absent) as running:
        for manner in MANNERS:
            for number in range(bench.rounds * TURNS):
                say(f"sockets: {manner}, turn {number + 1} of {bench.rounds * TURNS}")
                seen = {site: _wrk(site, manner) for site in (running if number % 2 else running[::-1])}
                for site in running:
                    rate, used = seen[site]
                    beside = next((other for other in running if other.kind == site.kind and not other.ours), site)
                    ratio = {f"{manner}_beside": rate / seen[beside][0]} if site.ours else {}
                    report.add(site.name, **{manner: rate, f"{manner}_us": used, **ratio})
    for kind in (GUNICORN, UVICORN):
        for manner in MANNERS:
            who, own = f"ours {kind.example}", report.get(f"{kind.example}'s own", f"{manner}_us")
            target = f"{kind.example}, {manner}: at least 0.97 of what its own master gets, in the median turn"
            report.at_least(target, who, f"{manner}_beside", 0.97)
            target = f"{kind.example}, {manner}: no more than 1.03 of the CPU"
            report.at_most(target, who, f"{manner}_us", own and 1.03 * own, " us")
    return report


def _wrk(site: Site, manner: str) -> tuple[float, float]:
    """Requests/s, and the CPU time of all processes of the server for each in us."""
    cpu = proc.cpu_ns(site.pids())
    url = f"http://127.0.0.1:{site.port}/"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", f"Connection: {manner}", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    used = proc.cpu_ns(site.pids()) - cpu
    requests = re.search(r"(\d+) requests in ", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not requests or not rate or "Socket errors" in said or "Non-2xx" in said:
        raise RuntimeError(f"{site.name}: {said}")
    return float(rate[1]), used / max(int(requests[1]), 1) / 1000


def _unbroken(bench: Bench) -> Report:
    """One request at a time on a new connection from each of CLIENTS, without a pause, and asked once.

    A request fails that was not answered whole and with status 200, whatever the reason. Those of a kill -9 that the
    process may have had in hand, as they had begun before it was dead, are counted apart from all others.
    """
    columns = [
        Column("requests", "requests", 0, ratio=False),
        Column("reloads", f"failed in {RELOADS} reloads", 0, ratio=False),
        Column("storm", f"in {STORM} x incr 3, decr 3", 0, ratio=False),
        Column("hand", f"in {KILLS} x kill -9: in hand", 0, ratio=False),
        Column("other", "others", 0, ratio=False),
        Column("stale", "reloads, kept connections: failed", 0, ratio=False),
        Column("kept", "closed while kept", 0, ratio=False),
    ]
    report = Report("unbroken", f"{WORKERS} workers under circusd, {CLIENTS} clients that never rest", columns)
    reasons: Counter[str] = Counter()
    with sites(bench.cache, [(kind, False) for kind in (GUNICORN, UVICORN, ASYNCIO)], report.absent) as running:
        for site in running:
            say(f"unbroken: {site.name}")
            with asked(site.address, CLIENTS) as reloads:
                for _ in range(RELOADS):
                    site.ctl("reload", WATCHER, "--waiting")
                    _go_on(reloads)
            with asked(site.address, CLIENTS) as storm:
                for _ in range(STORM):
                    site.ctl("incr", WATCHER, "3", "--waiting")
                    site.ctl("decr", WATCHER, "3", "--waiting")
                _go_on(storm)
            with asked(site.address, CLIENTS) as kills:
                deaths = [_kill(site, kills) for _ in range(KILLS)]
                _go_on(kills)
            with asked(site.address, CLIENTS, keep=True) as kept:
                for _ in range(RELOADS):
                    site.ctl("reload", WATCHER, "--waiting")
                    _go_on(kept)
            hand = [failure for failure in kills.failures if _in_hand(failure, deaths)]
            for answers in (reloads, storm, kills, kept):
                reasons.update(f"{site.name}: {failure.reason}" for failure in answers.failures)
            report.add(
                site.name,
                requests=sum(answers.answered + len(answers.failures) for answers in (reloads, storm, kills, kept)),
                reloads=len(reloads.failures), storm=len(storm.failures), hand=len(hand),
                other=len(kills.failures) - len(hand), stale=len(kept.failures), kept=kept.stale,
            )  # fmt: skip
            for what, key in (("reloads", "reloads"), ("incr and decr", "storm"), ("kill -9, not in hand", "other")):
                report.at_most(f"{site.name}: no request fails: {what}", site.name, key, 0)
    for reason, count in sorted(reasons.items()):
        say(f"unbroken: {reason}: {count}")
    return report


def _go_on(answers: Answers) -> None:
    before = answers.answered
    deadline = time.monotonic() + PATIENCE
    while answers.answered < before + SOME:
        if time.monotonic() > deadline:
            raise RuntimeError("nobody answers any more")
        time.sleep(0.01)


def _kill(site: Site, answers: Answers) -> tuple[float, float]:
    """SIGKILL a process, wait for its successor; between which times it died.

    Where a worker has a master of its own, as with gunicorn, it is the worker, and the master replaces it.
    """
    _go_on(answers)
    before = site.pids()
    victim = proc.tree(site.workers()[0])[-1]
    descriptor = os.pidfd_open(victim)
    sent = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    select.select([descriptor], [], [], PATIENCE)
    dead = time.monotonic()
    os.close(descriptor)
    while len(after := site.pids()) < len(before) or victim in after:
        time.sleep(0.01)
    return sent, dead


def _in_hand(failure: Failure, deaths: list[tuple[float, float]]) -> bool:
    return any(failure.began < dead and failure.ended > sent for sent, dead in deaths)
