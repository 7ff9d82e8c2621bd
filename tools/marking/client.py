"""The client that executes a student's cells (inside the sandbox): nbclient with bounded outputs."""

import json
import re

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

TAIL = 4000  # characters kept of what a cell prints after its output is full
RESULT = re.compile(r"^✓ .{1,200}$\n?", re.MULTILINE)
LINES = 60  # lines kept of a traceback
CUT = "\n… output cut here …\n"


class BoundedClient(NotebookClient):
    """Executes one cell after the other, errors allowed; no cell's outputs grow without end."""

    def __init__(self, notebook, limits):
        super().__init__(
            notebook,
            kernel_name="python3",
            allow_errors=True,
            interrupt_on_timeout=True,
            raise_on_iopub_timeout=False,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=False,
            startup_timeout=int(limits["start_seconds"]),
            extra_arguments=["--HistoryManager.hist_file=:memory:", "--IPKernelApp.log_level=50"],
        )
        self.limits, self.room, self.tails, self.late = limits, 0, {}, False
        self.on_cell_executed = self.note_errors

    def execute(self, cell, place, seconds):
        """Execute one cell for at most ``seconds``; True if it had to be interrupted."""
        self.room, self.tails, self.late = int(self.limits["output"] * 1e6), {}, False
        self.timeout = max(1, round(seconds))
        self.error_on_timeout = {
            "ename": "CellTimeoutError",
            "evalue": f"not done after {self.timeout} s",
            "traceback": [],
        }
        try:
            self.execute_cell(cell, place)
        finally:
            for name, (results, tail) in self.tails.items():
                text = f"{CUT}{results}{CUT if results else ''}{tail}"
                cell.outputs.append(nbformat.v4.new_output("stream", name=name, text=text))
        return self.late

    def answers(self, seconds):
        """Whether the kernel still executes anything, within ``seconds``."""
        cell = nbformat.v4.new_code_cell("None")
        place = len(self.nb.cells) - 1
        kept = self.nb.cells[place]
        try:
            return not self.execute(cell, place, seconds)
        except Exception:  # a dead kernel does not answer either
            return False
        finally:
            self.nb.cells[place] = kept

    def note_errors(self, cell, cell_index, execute_reply):
        """Leave an error among the outputs whenever the kernel's reply is one, shown or not."""
        content = execute_reply["content"]
        if any(part.get("source") == "ask_exit" for part in content.get("payload") or []):
            raise DeadKernelError("exit was called")  # it dies a moment later, in whatever cell comes next
        if content.get("status") == "ok":
            return
        name = str(content.get("ename", "Aborted"))
        self.late = self.late or name == "CellTimeoutError"
        if not any(o.output_type == "error" and o.ename == name for o in cell.outputs):
            words = str(content.get("evalue", ""))
            shown = {"ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}
            cell.outputs.append(nbformat.v4.new_output("error", **shown))

    def output(self, outs, msg, display_id, cell_index):
        """Take an output as long as there is room; errors always, and the last of what is printed."""
        content, kind = msg["content"], msg["msg_type"]
        if kind == "stream":
            return self.stream(outs, str(content.get("name", "stdout")), str(content.get("text", "")))
        if kind == "error":
            lines = content.get("traceback", [])
            content["traceback"] = [
                str(line)[:2000] for line in (*lines[: LINES // 2], *lines[LINES // 2 :][-LINES // 2 :])
            ]
            content["evalue"] = str(content.get("evalue", ""))[:2000]
            return super().output(outs, msg, display_id, cell_index)
        size = len(json.dumps(content, default=str))
        if size > self.room:
            return self.stream(outs, "stderr", f"[an output of {size / 1e6:.1f} MB left out]\n")
        self.room -= size
        return super().output(outs, msg, display_id, cell_index)

    def stream(self, outs, name, text):
        """Append text to the last output if that is the same stream; beyond the room keep a tail only."""
        name = name if name in ("stdout", "stderr") else "stdout"
        kept, rest = text[: self.room], text[self.room :]
        self.room -= len(kept)
        if kept and outs and outs[-1].output_type == "stream" and outs[-1].name == name:
            outs[-1].text += kept
        elif kept:
            outs.append(nbformat.v4.new_output("stream", name=name, text=kept))
        if rest:
            gone, tail = self.tails.get(name, ("", ""))
            tail += rest
            results = "".join(RESULT.findall(tail[:-TAIL]))  # a check's word is kept in any flood
            self.tails[name] = ((gone + results)[:TAIL], tail[-TAIL:])
        return None

    def handle_comm_msg(self, outs, msg, cell_index):
        """Widgets are not kept: an Output widget could take outputs away from a cell."""

    def _update_display_id(self, display_id, msg):
        """A display is not changed afterwards."""
