"""The run of all tests: its parts, their seconds, its exit code; and the line that says what it runs on."""

import os
import re
import sys

import pytest

from tools.upkeep import machine, run_tests

GOOD, BAD = ([sys.executable, "-c", f"raise SystemExit({code})"] for code in (0, 1))


def test_a_part_that_fails_fails_the_run_and_every_part_says_its_seconds(monkeypatch, capfd):
    monkeypatch.setattr(run_tests, "PARTS", {"good": GOOD, "bad": BAD, "last": GOOD})
    with pytest.raises(SystemExit) as end:
        run_tests.main([])
    assert end.value.code == "\nFAILED: bad"
    table = capfd.readouterr().out.splitlines()[-3:]
    assert [re.sub(r"\d+ s", "N s", line) for line in table] == [
        "== good: passed in N s",
        "== bad: FAILED in N s",
        "== last: passed in N s",
    ]
    with pytest.raises(SystemExit) as end:
        run_tests.main(["last"])
    assert end.value.code == 0


def test_an_unknown_part_is_one_line():
    with pytest.raises(SystemExit, match="unknown part pages: choose from package, site, notebooks, browser"):
        run_tests.main(["pages"])


def test_the_machine_is_told_in_one_line(capsys):
    import torch

    machine.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert f"{os.cpu_count()} cores" in line and machine.processor() in line
    assert torch.backends.cpu.get_cpu_capability() in line and f"torch {torch.__version__}" in line
