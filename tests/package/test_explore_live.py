"""The explorer in a live kernel: its widgets, its fallbacks, and errors that nobody may swallow."""

import base64
import re
import subprocess
import sys

import matplotlib
import nbformat
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from blowup.explore import explore, live
from blowup.explore.parameters import Explorer, parse

SETUP = """
import matplotlib.pyplot as plt
from blowup.explore import explore
def draw(gain, activation):
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, gain])
    if gain == BAD:
        raise RuntimeError("nothing to draw")
    return figure
"""


def line(gain, activation):
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, gain])
    if gain == 3:
        raise RuntimeError("nothing <to> draw")
    return figure


@pytest.fixture
def box():
    plt.close("all")
    explorer = Explorer(line, "A line", parse({"gain": [1, 2, 3], "activation": ["relu", "tanh"]}))
    return live.widget(explorer, live._picture(explorer, explorer.start))


def test_numbers_get_a_slider_and_words_a_list_and_moves_draw(box):
    slider, choice, frame = box.children
    assert [type(c).__name__ for c in box.children] == ["SelectionSlider", "Dropdown", "HTML"]
    assert (slider.value, slider.description, choice.value) == (2, "gain", "relu")
    first = frame.value
    assert 'alt="A line. gain = 2, activation = relu."' in first
    slider.value = 1
    assert 'alt="A line. gain = 1, activation = relu."' in frame.value
    assert picture(frame.value) != picture(first) and picture(first).startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def picture(html):
    return base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])


def test_an_error_while_moving_is_shown_in_place_and_raised(box):
    slider, _, frame = box.children
    with pytest.raises(RuntimeError, match="nothing <to> draw"):
        slider.value = 3
    assert "RuntimeError: nothing &lt;to&gt; draw" in frame.value and 'role="alert"' in frame.value
    assert "at gain = 3, activation = relu" in frame.value
    slider.value = 1
    assert "<img" in frame.value


def published(monkeypatch, life):
    outputs = []
    monkeypatch.setenv("BLOWUP_STATIC", life)
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, metadata=None: outputs.append(data)
    )
    assert explore(line, alt="A line", gain=[1, 2], activation=["relu", "tanh"], start={"gain": 1}) is None
    (data,) = outputs
    return data


def test_one_output_carries_the_widget_a_still_picture_and_the_same_line_of_text_in_both_lives(monkeypatch):
    kernel, page = published(monkeypatch, "0"), published(monkeypatch, "1")
    text = "Explorer (gain: 1 to 2; activation: relu, tanh). A line. gain = 1, activation = relu."
    assert kernel["text/plain"] == page["text/plain"] == text
    assert kernel["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert base64.b64decode(kernel["image/png"]).startswith(b"\x89PNG")
    assert set(page) == {"text/html", "text/plain"}


def run_notebook(folder, bad):
    call = "explore(draw, gain=[1, 2, 3], activation=['relu', 'tanh'])"
    cells = [nbformat.v4.new_code_cell(SETUP.replace("BAD", str(bad))), nbformat.v4.new_code_cell(call)]
    file = folder / f"bad-{bad}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    return file


def test_nbval_passes_a_good_notebook_and_fails_one_whose_draw_raises(tmp_path, monkeypatch):
    monkeypatch.delenv("BLOWUP_STATIC", raising=False)
    files = [run_notebook(tmp_path, bad) for bad in (0, 2)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    run = subprocess.run(
        [*command, "--nbval-current-env", *map(str, files)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = re.sub(r"\x1b\[[\d;]*m", "", run.stdout)
    assert run.returncode == 1 and "1 failed, 3 passed" in said, said[-3000:]
    assert "FAILED bad-2.ipynb::Cell 1" in said and "RuntimeError: nothing to draw" in said


@pytest.fixture
def kernel(monkeypatch):
    from jupyter_client.manager import start_new_kernel

    monkeypatch.delenv("BLOWUP_STATIC", raising=False)
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def replies(client, message_id):
    """All that the kernel says in answer to one message."""
    answers = []
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        answers.append(message)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return answers


def test_a_move_in_the_front_end_draws_and_its_errors_reach_the_front_end(kernel):
    code = SETUP.replace("BAD", "3") + "explore(draw, gain=[1, 2, 3], activation=['relu', 'tanh'])"
    answers = replies(kernel, kernel.execute(code))
    opened = {
        m["content"]["data"]["state"].get("_model_name"): m["content"]["comm_id"]
        for m in answers
        if m["msg_type"] == "comm_open"
    }

    def move(index):
        data = {"method": "update", "state": {"index": index}, "buffer_paths": []}
        content = {"comm_id": opened["SelectionSliderModel"], "data": data}
        message = kernel.session.msg("comm_msg", content)
        kernel.shell_channel.send(message)
        return replies(kernel, message["header"]["msg_id"])

    def sent(answers):
        updates = [m["content"] for m in answers if m["msg_type"] == "comm_msg"]
        return [
            u["data"]["state"]["value"]
            for u in updates
            if u["comm_id"] == opened["HTMLModel"] and "value" in u["data"].get("state", {})
        ]

    good = move(0)
    assert "gain = 1" in sent(good)[-1] and not [m for m in good if m["msg_type"] == "error"]
    bad = move(2)
    assert [m["content"]["evalue"] for m in bad if m["msg_type"] == "error"] == ["nothing to draw"]
    assert 'role="alert"' in sent(bad)[-1]
