"""Measures circusd beside its peers in one run: `make bench`, or .venv/bin/python tests/benchmarks/run.py --help.

Figures of different machines, or of different runs on a busy one, do not compare; the ratios in one run do.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import proc
from bench import Bench, say
from install import Cache, NotHereError
from suites import (
    bound,
    flooded,
    hosted,
    kept,
    output,
    per_event,
    publish,
    requests,
    respawn,
    sampled,
    sockets,
    status,
    streamed,
    thousand,
)

SUITES = (
    thousand,
    respawn,
    requests,
    status,
    per_event,
    publish,
    hosted,
    output,
    flooded,
    streamed,
    sockets,
    sampled,
    kept,
    bound,
)
NAMES = [name for suite in SUITES for name in suite.NAMES]
OURS_BIN = Path(__file__).parents[2] / ".venv" / "bin"
CACHE = Path(os.environ.get("CIRCUS_BENCH_CACHE") or Path.home() / ".cache" / "circus-bus-bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 whether the targets are met or not: this measures, it does not judge a change."""
    args = _parser().parse_args(argv)
    wanted = set(args.only.split(",")) if args.only else set(NAMES)
    if unknown := wanted - set(NAMES):
        _parser().error(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")

    # As an exit, a signal goes through the clean-up that ends all processes.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    proc.adopt_orphans()
    cache = Cache(args.cache, args.install, args.ours.absolute())
    try:
        program = cache.compiled("child")
    except NotHereError as error:
        say(f"the children are shell scripts: {error}")
        program = None
    bench = Bench(cache, program, args.rounds, None if args.peers is None else args.peers.split(","), args.size)

    load = os.getloadavg()[0]
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load {load:.1f}")
    print("The machine is busy with other things: trust ratios, not times.\n" if load > 1 else "", flush=True)
    reports = []
    for suite in SUITES:
        if mine := wanted & set(suite.NAMES):
            try:
                found = suite.run(bench, mine)
            except (RuntimeError, OSError) as error:
                print(f"{', '.join(sorted(mine))}: broken off: {error}\n", flush=True)
                continue
            for report in found:
                print(report.text(), flush=True)
                reports.append(asdict(report))
    if args.json:
        machine = {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": load,
        }
        args.json.write_text(json.dumps({"machine": machine, "reports": reports}, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help=f"only these, joined by commas: {' '.join(NAMES)}")
    parser.add_argument("--peers", metavar="NAMES", help="only these peers, joined by commas; '' for none")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all figures to FILE")
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="default: %(default)s")
    size_help = "how much children write where output is measured, in $TMPDIR; default: %(default)s"
    parser.add_argument("--size", metavar="BYTES", type=int, default=1 << 31, help=size_help)
    parser.add_argument("--no-install", dest="install", action="store_false", help="leave out peers that are not here")
    cache_help = "where peers are put; default: $CIRCUS_BENCH_CACHE or %(default)s"
    parser.add_argument("--cache", metavar="DIR", type=Path, default=CACHE, help=cache_help)
    parser.add_argument(
        "--ours", metavar="BIN", type=Path, default=OURS_BIN, help="has our circusd; default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
