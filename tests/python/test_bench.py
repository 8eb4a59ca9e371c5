# test_bench.py - the benchmark itself
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/bench: that it runs, and notices a peer that does not hold what it was given."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


def test_every_part_in_python_runs(tmp_path):
    out = tmp_path / "out.json"
    parts = ["single", "growth", "threads", "ycsb", "tiers", "asyncio", "start", "expired"]
    only = [word for part in parts for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, str(BENCH / "bench.py"), "--quick", "--json", str(out), *only],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "DSQ_BENCH_PEERS": "none"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert {row["part"] for row in report["results"]} == set(parts)
    assert all(sample > 0 for row in report["results"] for sample in row["samples"])
    judged = {line["name"]: line for line in report["targets"]}
    assert judged["get, lazy / dict"]["met"] in (True, False)
    for line in report["targets"]:
        assert line["name"] in done.stdout
    assert "ok" in done.stdout.split()


def test_a_peer_that_forgets_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import loops
    import peers

    class Forgets(peers.Dict):
        set = "m.update({{{k}: {v}}} if i else {{}})"

    with pytest.raises(SystemExit, match="forgets holds 9 entries after set"):
        loops.run("single", [Forgets("forgets")], 10, 1, str(tmp_path), ["set"])


def test_the_page_has_a_place_for_each_table(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import loops
    import report

    docs = BENCH.parents[1] / "docs"
    page = (docs / "performance.md").read_text()
    for name in ("machine", "peers", "targets", "operations", *report.TITLES):
        assert page.count(f"<!-- bench {name} -->\n") == 1
    assert {*loops.SINGLE, *loops.RANDOM} == set(report.OPERATIONS)
    whole = {
        "machine": {"cpu": "one"},
        "peers": [{"name": "p", "version": "1", "lacks": "much"}],
        "results": [{"part": "start", "op": "import", "peer": "p", "n": 1, "samples": [5, 7, 6]},
                    {"part": "single", "op": "get", "peer": "lazy", "n": 2, "samples": [9998]}],
        "targets": [{"name": "ours / theirs", "limit": "<= 2", "measured": "1.5", "met": True}],
    }
    monkeypatch.setattr(report, "plot", lambda shown, folder, suffix: ["single"])
    copy = tmp_path / "performance.md"
    copy.write_text(page)
    compared = tmp_path / "comparison.md"
    compared.write_text((docs / "comparison.md").read_text())
    targets = copy.read_text().count("| ok |") + copy.read_text().count("| NOT OK |")
    for _ in range(2):
        report.write_pages(str(tmp_path), whole, False)
        assert copy.read_text().count("| ok |") + copy.read_text().count("| NOT OK |") == targets
        assert compared.read_text().count("| get | 4,999 |") == 1
        assert compared.read_text().count("](figures/single-compared.svg)") == 1
        assert copy.read_text().count("| get | 4,999 |") == 1
        assert "|  | p |\n|---|---|\n| import | 6 |\n" in copy.read_text()
        assert copy.read_text().count("| import | 6 |") == 1
    report.write_pages(str(tmp_path), whole, True)
    assert copy.read_text().count("ours / theirs") == copy.read_text().count("| ok |") == 1


def test_parts_tell_whose_instructions_they_are():
    done = subprocess.run(
        [sys.executable, str(BENCH / "parts.py"), "set"],
        capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    heads, _, row = ([cell.strip() for cell in line.strip("|").split("|")]
                     for line in done.stdout.splitlines())
    counts = {head: int(cell.replace(",", "")) for head, cell in zip(heads[1:], row[1:])}
    assert row[0] == "set"
    assert counts["in all"] == pytest.approx(sum(counts.values()) / 2, abs=6)
    for whose in ("Python", "PyGObject", "the library", "libc"):
        assert 100 < counts[whose] < 20_000
    assert abs(counts["SQLite"]) < 100 and abs(counts["others"]) < 1000
