# long.py - fills hours with the loops that look for what is lost, and says how far each came
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run by tests/run --long, in the environment of the build. Each loop has a share of the time, told
to it as DSQ_SECONDS, in one of as many lanes as there are processors; one that does not end by
itself is killed. How far it came is what it prints as 'reached N of what'."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "durability.md"
REACHED = re.compile(r"^(?:# )*reached (\d+) (.+)$", re.MULTILINE)
EXECUTED = re.compile(r"^stat::number_of_executed_units: *(\d+)$", re.MULTILINE)  # libFuzzer's
POINTS = re.compile(r"^# points (\S+) (\S+) (\d+)$", re.MULTILINE)
DEFAULT_HOURS = 110 / 60
GRACE = 0.05  # of a loop's time, in which it may end by itself
LEAST_GRACE = 20.0  # seconds
START = 5.0  # seconds that an interpreter may take to begin and to end
RESERVE = 0.05, 60.0  # of the whole time, and at most seconds, for the grace of the last ones


class Loop(NamedTuple):
    name: str
    minutes: float  # of the whole run's, when that is of DEFAULT_HOURS on two processors
    command: List[str]
    full: int = 0  # how far it goes without a deadline; 0: nowhere said
    encrypted: bool = False  # by tests/python/encrypted


class Outcome(NamedTuple):
    loop: Loop
    seconds: float
    reached: List[Tuple[int, str]]
    failure: str  # '' where there was none
    log: Path


def of_c(build: Path, program: str, case: str, minutes: float, full: int) -> Loop:
    name = case.lstrip("/").replace("dsq/", "").replace("/", "-")
    return Loop(name, minutes, [str(build / "tests" / program), "-p", case], full)


def of_python(name: str, minutes: float, file: str, test: str, full: int = 0,
              encrypted: bool = False) -> Loop:
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-s",
               "--rootdir", str(TESTS / "python"), f"{TESTS / 'python' / file}::{test}"]
    return Loop(name, minutes, command, full, encrypted)


def all_loops(build: Path, fuzzers: Path, folder: Path) -> List[Loop]:
    loops = [
        *(of_c(build, "fault/test-soak", f"/dsq/soak/{kind}", 10, 0)
          for kind in ("plain", "encrypted")),
        *(of_c(build, "fault/test-kills", f"/dsq/kills/{kind}", 12, 5_000)
          for kind in ("plain", "encrypted")),
        *(of_c(build, "fault/test-power-cuts", f"/dsq/power-cuts/{kind}", 16, 500_000)
          for kind in ("synced-by-the-way", "synced-each")),
        of_c(build, "fault/test-fact-kills", "/dsq/fact-kills/nothing-old-is-read", 4, 10_000),
        *(of_c(build, "fault/test-faults", f"/dsq/faults/{kind}", 6, 0)
          for kind in ("memory", "lazy", "lazy-background", "writethrough",
                       "writethrough-background", "lazy-encrypted", "writethrough-encrypted")),
        of_c(build, "lin/test-lin", "/dsq/lin/memory", 12, 2_400_000),
        of_c(build, "lin/test-lin", "/dsq/lin/lazy", 12, 400_000),
        of_c(build, "lin/test-lin", "/dsq/lin/writethrough", 12, 800_000),
        of_c(build, "lin/test-lin", "/dsq/lin/processes", 12, 400_000),
        Loop("fuzz-files", 14, [str(build / "tests" / "fuzz" / "fuzz-files")], 1_000_000),
        *(of_python(f"stateful-{mode}", 5, "test_stateful.py", f"test_store_beside_dict[{mode}]")
          for mode in ("memory", "lazy", "writethrough")),
        of_python("stateful-encrypted", 5, "test_stateful.py", "test_store_beside_dict[lazy]",
                  encrypted=True),
        *(of_python(f"near-{mode}", 3, "test_near_model.py",
                    f"test_threads_read_nothing_old[{mode}]", 10_000_000)
          for mode in ("memory", "lazy", "writethrough")),
        of_python("near-beside-dict", 2, "test_near_model.py",
                  "test_each_read_is_what_a_dict_gives[writethrough]"),
        of_python("pickles", 4, "test_safe_pickle_fuzz.py",
                  "test_the_unpickler_does_what_the_report_tells", 3_000_000),
        *(of_python(name, 3, "test_servers_histories.py", f"test_{test}")
          for name, test in {
              "server-two-clients": "single_keys_are_linearizable[2-4-False]",
              "server-eight-clients": "single_keys_are_linearizable[8-1-False]",
              "server-ended-connections": "single_keys_are_linearizable[8-1-True]",
              "server-staleness": "no_read_is_of_what_was_overwritten_too_long_ago",
          }.items()),
    ]  # fmt: skip
    for program in sorted(fuzzers.glob("tests/fuzz/fuzz-*")):
        if program.is_file() and os.access(program, os.X_OK):
            corpus = folder / f"corpus-{program.name}"
            corpus.mkdir(parents=True, exist_ok=True)
            kept = TESTS / "fuzz" / "corpus" / program.name.replace("fuzz-", "", 1)
            command = [str(program), "-print_final_stats=1", f"-artifact_prefix={folder}/",
                       "-max_total_time={seconds}", str(corpus), *([str(kept)] * kept.is_dir())]
            loops.append(Loop(program.name, 1, command))
    return loops


# --- running them ---------------------------------------------------------------------------------


class Run:
    """The lanes, each with its loops one after the other; none goes on beyond `until`."""

    def __init__(self, loops: List[Loop], seconds: float, folder: Path, n_lanes: int) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self.until = self.began + seconds
        self.planned = self.until - min(seconds * RESERVE[0], RESERVE[1])
        self.outcomes: Dict[str, Outcome] = {}
        self.lock = threading.Lock()
        self.lanes: List[List[Loop]] = [[] for _ in range(min(n_lanes, len(loops)))]
        for loop in sorted(loops, key=lambda loop: -loop.minutes):
            min(self.lanes, key=lambda lane: sum(one.minutes for one in lane)).append(loop)

    def fill(self) -> None:
        threads = [threading.Thread(target=self.fill_lane, args=(lane,)) for lane in self.lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def fill_lane(self, lane: List[Loop]) -> None:
        """What one loop takes too long, or leaves, is taken from or given to those behind it."""
        for place, loop in enumerate(lane):
            left = max(0.0, self.planned - time.monotonic())
            share = left * loop.minutes / sum(one.minutes for one in lane[place:])
            outcome = self.run(loop, share)
            with self.lock:
                self.outcomes[loop.name] = outcome
                print(f"   {time.monotonic() - self.began:6.0f} s  {describe(outcome)}", flush=True)

    def run(self, loop: Loop, share: float) -> Outcome:
        """One that goes on until its share is over ends somewhat later: so it is told of less."""
        log = self.folder / f"{loop.name}.txt"
        seconds = share - min(share / 2, max(share * GRACE, START))
        command = [word.format(seconds=max(1, int(seconds))) if word.startswith("-max_total_time")
                   else word for word in loop.command]
        began = time.monotonic()
        end = min(began + share + max(share * GRACE, LEAST_GRACE), self.until)
        with open(log, "wb") as output:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    env=environment(loop, seconds), start_new_session=True, cwd=self.folder,
                )  # fmt: skip
            except OSError as error:
                return Outcome(loop, 0.0, [], f"cannot be run: {error.strerror}", log)
            status = wait(process, end)
        took = time.monotonic() - began
        text = log.read_text("utf-8", errors="replace")
        reached = [(int(n), what) for n, what in REACHED.findall(text)]
        reached += [(int(n), "inputs") for n in EXECUTED.findall(text)]
        return Outcome(loop, took, reached, failure_of(status, reached), log)


def environment(loop: Loop, seconds: float) -> Dict[str, str]:
    given = {**os.environ, "DSQ_SECONDS": f"{seconds:.3f}", "G_DEBUG": "fatal-criticals"}
    if loop.encrypted:
        given["PYTHONPATH"] = f"{TESTS / 'python' / 'encrypted'}:{given.get('PYTHONPATH', '')}"
    return given


def wait(process: "subprocess.Popen[bytes]", end: float) -> Optional[int]:
    """Its status, None where it and all that it started had to be killed."""
    try:
        return process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def failure_of(status: Optional[int], reached: List[Tuple[int, str]]) -> str:
    if status is None:
        return "did not end in time"
    if status != 0:
        return f"ended with status {status}" if status > 0 else f"ended by signal {-status}"
    return "" if reached and reached[0][0] > 0 else "does not say how far it came"


# --- telling of it --------------------------------------------------------------------------------


def describe(outcome: Outcome) -> str:
    if outcome.failure:
        return f"{outcome.loop.name} FAILED: {outcome.failure}, see {outcome.log}"
    return f"{outcome.loop.name}: " + what_was_reached(outcome)


def what_was_reached(outcome: Outcome) -> str:
    return ", ".join(f"{n:,} {what}" for n, what in outcome.reached)


def machine() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors, " \
           f"Linux {platform.release()}"


def table_of(outcomes: List[Outcome]) -> List[str]:
    lines = ["| loop | minutes | it reached | the whole loop is |", "|---|---:|---|---:|"]
    for outcome in outcomes:
        reached = what_was_reached(outcome) or "nothing"
        if outcome.failure:
            reached = f"**failed: {outcome.failure}**; {reached}"
        full = f"{outcome.loop.full:,}" if outcome.loop.full else ""
        lines.append(f"| {outcome.loop.name} | {outcome.seconds / 60:.1f} | {reached} | {full} |")
    return lines


def closing(outcomes: List[Outcome]) -> str:
    failed = [outcome.loop.name for outcome in outcomes if outcome.failure]
    if failed:
        return f"{len(failed)} of {len(outcomes)} loops failed: {', '.join(failed)}."
    return f"{len(outcomes)} loops, nothing lost."


def points_of(outcomes: List[Outcome]) -> List[str]:
    """A table of the calls that can be made to fail, a line a verb, as test-faults has them."""
    points: Dict[str, Dict[str, int]] = {}
    setups: List[str] = []
    for outcome in outcomes:
        for setup, verb, n in POINTS.findall(outcome.log.read_text("utf-8", errors="replace")):
            points.setdefault(verb, {})[setup] = int(n)
            if setup not in setups:
                setups.append(setup)
    if not points:
        return []
    lines = [f"| verb | {' | '.join(setups)} |", "|---|" + "---:|" * len(setups)]
    for verb, row in points.items():
        lines.append(f"| {verb} | " + " | ".join(f"{row.get(name, 0):,}" for name in setups) + " |")
    sums = [sum(row.get(name, 0) for row in points.values()) for name in setups]
    return [*lines, "| **all** | " + " | ".join(f"**{n:,}**" for n in sums) + " |"]


def write_docs(page: Path, outcomes: List[Outcome], seconds: float) -> None:
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    said = (f"{when}, {machine()}, load average {os.getloadavg()[2]:.0f}: "
            f"a run of {seconds / 60:.0f} minutes. {closing(outcomes)}")
    parts = {"reached": [said, "", *table_of(outcomes)], "points": points_of(outcomes)}
    text = page.read_text("utf-8")
    for name, lines in parts.items():
        if lines:
            table = "\n".join([f"<!-- long {name} -->", *lines, "<!-- end -->"])
            place = rf"<!-- long {name} -->.*?<!-- end -->"
            text, n = re.subn(place, lambda _, new=table: new, text, flags=re.DOTALL)
            if n != 1:
                sys.exit(f"{page} has {n} places for the table '{name}'")
    page.write_text(text, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="the build's folder")
    parser.add_argument("--fuzzers", type=Path, default=Path("/nonexistent"),
                        help="a build of which the fuzz targets are libFuzzer's")  # fmt: skip
    parser.add_argument("--logs", type=Path, required=True, help="where each loop's log goes")
    parser.add_argument("--for", type=float, default=DEFAULT_HOURS, dest="hours", metavar="HOURS")
    parser.add_argument("--spent", type=float, default=0, help="seconds of these that are over")
    parser.add_argument("--only", action="append", default=[], metavar="LOOP",
                        help="a loop, or all whose names begin so")  # fmt: skip
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}'s tables")
    options = parser.parse_args()
    folder = options.logs.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    loops = all_loops(options.build.resolve(), options.fuzzers.resolve(), folder)
    if options.only:
        loops = [loop for loop in loops if loop.name.startswith(tuple(options.only))]
    if not loops:
        sys.exit("There is no such loop.")
    run = Run(loops, options.hours * 3600 - options.spent, folder, os.cpu_count() or 1)
    run.fill()
    seconds = time.monotonic() - run.began + options.spent
    outcomes = [run.outcomes[loop.name] for loop in loops]
    print("", *table_of(outcomes), "", sep="\n")
    print(f"{closing(outcomes)} {seconds / 60:.1f} of {options.hours * 60:.1f} minutes.")
    if options.write_docs:
        write_docs(PAGE, outcomes, seconds)
    return int(any(outcome.failure for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
