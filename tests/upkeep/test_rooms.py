"""Every command of the Makefile that runs a tool is in the map of tools/README.md, which names no other."""

import re

from tests import ROOT


def test_the_map_of_the_rooms_names_what_make_calls():
    makefile = (ROOT / "Makefile").read_text()
    called = set(re.findall(r"-m tools\.(\w+\.\w+)", makefile))
    rows = [row for row in (ROOT / "tools" / "README.md").read_text().splitlines() if row.startswith("| `")]
    rooms = {re.match(r"\| `(\w+)`", row)[1]: set(re.findall(r"→ `(\w+\.\w+)`", row)) for row in rows}
    assert set().union(*rooms.values()) == called
    assert all(tool.startswith(f"{room}.") for room, tools in rooms.items() for tool in tools)
    folders = {place.parent.name for place in (ROOT / "tools").glob("*/__init__.py")}
    assert folders == rooms.keys()
    assert all((ROOT / "tools" / f"{tool.replace('.', '/')}.py").exists() for tool in called)
