"""`make bench` ends and compares; the seconds of the long commands are noted, read and published."""

import json
import re

import pytest

from tests import ROOT
from tools.upkeep import bench, seconds


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setattr(seconds, "ROOT", tmp_path)
    monkeypatch.setattr(seconds, "NOTED", tmp_path / "_build" / "seconds.json")
    monkeypatch.setattr(seconds, "PUBLISHED", tmp_path / "published_seconds.json")
    seconds.PUBLISHED.write_text((ROOT / "tools" / "upkeep" / "published_seconds.json").read_text())
    return tmp_path


def test_a_small_bench_compares_says_what_limits_and_shows_the_budgets(capsys):
    seconds.record("make book, fresh", 171.4)
    bench.main(["--small"])
    said = capsys.readouterr().out
    lines = said.splitlines()
    number = r"\d+\.\d"
    for title in bench.SMALL:
        assert re.search(rf"^{title}: {number} ms a step, {number} times as fast as the loop", said, re.M)
    assert re.search(r"limits the MLP: matrix products take \d+% of a step, at \d+% of this machine's", said)
    assert re.search(r"limits the CNN: convolutions take \d+% of a step, pools \d+%, the update \d+%", said)
    shown = {line[:32].strip(): line[32:].split() for line in lines}
    assert shown["make book, fresh"][:2] == ["171", "s"]
    assert all(shown[part][:3] == ["not", "measured", "yet"] for part in list(seconds.BUDGETS)[1:])
    assert re.fullmatch(
        rf"Ensemble against loop over seeds: MLP {number}, CNN {number} times as fast.", lines[-1]
    )


def test_the_loop_trains_what_the_ensemble_trains():
    """One number of parameters, one shape of logits: the comparison is of like with like."""
    for net, _ in (*bench.NETS.values(), *bench.SMALL.values()):
        module, params, (x, _) = bench.plain(net), net.init(1), bench.data(net)
        assert sum(p.numel() for p in module.parameters()) == sum(p.numel() for p in params.values())
        assert module(x[:3]).shape == net(params, x[None, :3])[0].shape == (3, net.classes)


def test_another_option_is_one_line():
    with pytest.raises(SystemExit, match=r"^bench: the only option is --small, got '--fast'$"):
        bench.main(["--fast"])


def test_the_last_of_what_was_noted_counts():
    seconds.record("make book, fresh", 200)
    seconds.record(".ci/run", 1000.26)
    seconds.record("make book, fresh", 171.44)
    assert seconds.read() == {"make book, fresh": 171.4, ".ci/run": 1000.3}


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe", b"[1, 2]\n", b'{"part": "x"}\n', b'{"part": "x", "seconds": "soon"}\n', b'{"par',
     b'{"part": "x", "seconds": NaN}\n', b'{"part": 3, "seconds": 4}\n', b"null\n", b"7\n"],
)  # fmt: skip
def test_a_damaged_file_is_what_was_not_measured(damage):
    assert seconds.read() == {}, "no file yet"
    seconds.NOTED.parent.mkdir()
    seconds.NOTED.write_bytes(damage)
    assert seconds.read() == {}
    lines = seconds.table(seconds.read(), seconds.published(), 7)
    assert sum("not measured yet" in line for line in lines) == len(seconds.BUDGETS)


def test_a_line_cut_short_takes_no_other_with_it():
    seconds.record("make book, fresh", 171)
    with seconds.NOTED.open("a") as file:
        file.write('{"part": ".ci/run", "sec\n')
    seconds.record("test: site", 12)
    assert seconds.read() == {"make book, fresh": 171.0, "test: site": 12.0}


def test_where_nothing_can_be_written_nothing_fails(place):
    (place / "_build").write_text("a file where the folder should be")
    seconds.record("make book, fresh", 1)
    assert seconds.read() == {}


def test_budgets_are_those_of_seven_and_of_fourteen_chapters():
    assert seconds.budget("make book, fresh", 7) == 180 and seconds.budget("make book, fresh", 14) == 360
    assert seconds.budget("make test, after make book", 14) == 1200 and seconds.budget(".ci/run", 14) == 2100
    assert seconds.budget("make book, nothing changed", 14) == 15


def test_what_was_measured_is_published_and_nothing_else(capsys):
    seconds.record("test: site", 3)
    before = seconds.PUBLISHED.read_text()
    with pytest.raises(SystemExit, match="nothing was published: none of make book, fresh, make book"):
        seconds.main(["publish"])
    assert seconds.PUBLISHED.read_text() == before
    for part in list(seconds.BUDGETS)[1:]:
        seconds.record(part, 10)
    seconds.record("make book, fresh", 160)
    seconds.main(["publish"])
    assert "The seconds of 5 commands are in published_seconds.json" in capsys.readouterr().out
    entry = json.loads(seconds.PUBLISHED.read_text())
    assert entry["seconds"] == {part: 160 if "fresh" in part else 10 for part in seconds.BUDGETS}
    assert "cores" in entry["machine"] and re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    (first, *_) = seconds.table({}, entry, 7)
    assert first == f"published last: {entry['date']}, {entry['machine']}"


def test_a_command_notes_its_seconds_by_name():
    seconds.main([".ci/run", "900"])
    assert seconds.read() == {".ci/run": 900.0}
    for wrong in (["ci", "900"], [".ci/run", "soon"], []):
        with pytest.raises(SystemExit, match="seconds: expected publish, or a command and whole seconds"):
            seconds.main(wrong)
