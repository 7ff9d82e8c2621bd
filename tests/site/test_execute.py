"""A newcomer is not stopped by luck: checks that fail are named; every other error ends the build."""

import signal
import subprocess
import sys
import time

import pytest

from tests.site.trial import small_house, write_notebook
from tools.site import build, checks, execute, executed

MISSES = "class Missed(AssertionError): pass\n\nclass DoesNotReproduce(AssertionError): pass"


@pytest.fixture
def house(tmp_path, monkeypatch):
    for module in (executed, execute):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return small_house(tmp_path)


def outputs(name="trial"):
    """What each code cell shows on the page, as text."""
    cells = executed.merged(name)["cells"]
    return [str(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"]


def test_checks_that_do_not_hold_are_named_with_their_values_and_stop_nothing(house, capsys):
    write_notebook(
        house,
        f"{MISSES}\n\nx = 41",
        "# test\nassert x > 40\nassert x == 2 * 21 and x < 50",
        "# test\nprint('before')\nfor k in (1, 2):\n    assert k < 2, f'k is {k}'\nmade = 1",
        "# test\nraise Missed('a subclass')",
        "# test\nassert made == 1",
        "print('shown')\nraise DoesNotReproduce('loss: 3 standard errors above')",
        "print('the end', x)",
    )
    build.bring_up_to_date(["trial"])
    said = capsys.readouterr().out
    assert "(5 of its checks did not hold)" in said
    failed = executed.failed()
    assert [(c["cell"], c["line"]) for c in failed] == [("c1", 3), ("c2", 4), ("c3", 2), ("c4", 2), ("c5", 2)]
    assert [c["said"] for c in failed] == [
        "x = 41; 2 * 21 = 42; x = 41",
        "k is 2",
        "a subclass",
        "not tried: the check that makes made did not hold",
        "loss: 3 standard errors above",
    ]
    report = "\n".join(checks.report(failed))
    assert "trial, cell c1, line 3: assert x == 2 * 21 and x < 50" in report
    assert "may not match this run" in report and "5 check(s)" in report
    page = outputs()
    assert page[1:5] == ["[]"] * 4, "a hidden cell shows nothing"
    assert "shown" in page[5] and "does not reproduce here: loss: 3 standard errors above" in page[5]
    assert "Traceback" not in "".join(page) and "the end 41" in page[6]
    build.bring_up_to_date(["trial"])
    assert capsys.readouterr().out == "" and executed.failed() == failed, "what was kept names them again"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["x = 41", "assert x == 42, 'the answer moved'"],
            ["cell c1", "AssertionError: the answer moved", "x == 42"],
        ),
        (["# test\nraise ValueError('no')"], ["cell c0", "ValueError: no"]),
        (["# test\nassert never_made == 1"], ["cell c0", "name 'never_made' is not defined"]),
        (["x = 41", "1 +"], ["cell c1", "SyntaxError"]),
        (["# test\nimport os; os._exit(1)"], ["kernel died"]),
    ],
)
def test_every_other_error_ends_the_build_and_is_shown(house, cells, words):
    write_notebook(house, *cells)
    with pytest.raises(build.NotBuilt) as error:
        build.bring_up_to_date(["trial"])
    said = str(error.value).lower()
    assert all(word.lower() in said for word in ["book/trial.ipynb", *words]), said
    assert "\x1b" not in said
    with pytest.raises(executed.NotExecuted):
        executed.load("trial")


def test_an_error_that_is_meant_is_shown_as_it_is(house):
    write_notebook(house, "1 / 0", "print('on')")
    file = house / "book" / "trial.ipynb"
    file.write_text(file.read_text().replace('"tags": []', '"tags": ["raises-exception"]', 1))
    build.bring_up_to_date(["trial"])
    assert executed.failed() == [] and "ZeroDivisionError" in outputs()[0] and "on" in outputs()[1]


def test_a_chapter_draws_for_a_static_page_with_one_thread(house):
    names = "BLOWUP_STATIC", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"
    write_notebook(
        house, f"import os\nprint([os.environ[name] for name in {names}], os.path.basename(os.getcwd()))"
    )
    build.bring_up_to_date(["trial"])
    assert "['1', '1', 'passive'] book" in outputs()[0]


def test_a_damaged_run_is_named_in_a_line_and_made_again(house, capsys):
    write_notebook(house, "print('whole')")
    build.bring_up_to_date(["trial"])
    file = executed.folder() / "trial.ipynb"
    file.write_text(file.read_text()[:300])
    capsys.readouterr()
    build.bring_up_to_date(["trial"])
    assert "executing trial (_build/executed/trial.ipynb is damaged)\n" in capsys.readouterr().out
    assert "whole" in outputs()[0]


def start_build(house, **options):
    command = [sys.executable, "-m", "tools.site.build"]
    return subprocess.Popen(
        command, cwd=house, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_ctrl_c_stops_the_kernels_and_leaves_nothing_half_done(house):
    write_notebook(house, "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(300)")
    with start_build(house) as process:
        note = house / "book" / "pid"
        until = time.monotonic() + 300
        while not (note.exists() and note.read_text()) and time.monotonic() < until:
            time.sleep(0.1)
        kernel = int(note.read_text())
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert said[1].strip() == "interrupted: the site was not built; chapters that had been executed are kept"
    with pytest.raises(ProcessLookupError):
        execute.os.kill(kernel, 0)
    assert not executed.folder().exists() and not (house / "_build" / ".built").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(house):
    """A limit on the size of a file stands for the disk: the write fails in its middle."""

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    write_notebook(house, "print('x' * 50_000)")
    with start_build(house, preexec_fn=limit) as process:
        said = process.communicate(timeout=500)
    assert process.returncode == 1
    assert said[1].strip() == "the site was not built: File too large: _build/executed/trial.ipynb"
    assert list(executed.folder().iterdir()) == []
