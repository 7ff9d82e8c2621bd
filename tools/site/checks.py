"""Which errors of a chapter are checks that do not hold on this machine, and what there is to say of them."""

import ast
import re

COLOR = re.compile(r"\x1b\[[0-9;]*m")
LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
MISSING = re.compile(r"name '(\w+)' is not defined")
ASSERTS = "isinstance(__import__('sys').last_value, AssertionError)"
LONGEST = 100  # characters of a value


async def not_held(client, failed, cell, error):
    """The check that ``error`` is, as a dictionary: cell, line, code, said. None for any other error.

    A check is a ``reproduce`` that says no, wherever it stands; an AssertionError in a cell tagged ``test``;
    and there a name that is missing because an earlier check (``failed``) stopped before it was made.
    """
    hidden = "test" in cell.metadata.get("tags", [])
    line = line_of(error)
    said = error["evalue"]
    wanted = operands(cell.source, line) if hidden and not said else []
    answers = await ask(client, {"asserts": ASSERTS} | {text: text for text in wanted})
    if hidden and error["ename"] == "NameError":
        name = (MISSING.search(said) or [None, ""])[1]
        if not any(name in check["makes"] for check in failed):
            return None
        said = f"not tried: the check that makes {name} did not hold"
    elif error["ename"] != "DoesNotReproduce" and not (hidden and answers.get("asserts") == "True"):
        return None
    values = [f"{text} = {shortened(answers[text])}" for text in wanted if text in answers]
    return {
        "cell": cell.id,
        "line": line,
        "code": statement(cell.source, line),
        "said": COLOR.sub("", said) or "; ".join(values),
        "makes": names_made(cell.source),
    }


async def ask(client, expressions):
    """The values of ``expressions`` in the kernel, as text; those that have none are left out."""
    request = client.kc.execute("", silent=True, store_history=False, user_expressions=expressions)
    reply = await client.async_wait_for_reply(request)
    answers = reply["content"].get("user_expressions", {})
    return {k: v["data"].get("text/plain", "") for k, v in answers.items() if v["status"] == "ok"}


def line_of(error):
    """The line of the cell where the error arose, counted from 1."""
    found = LINE.search(COLOR.sub("", "\n".join(error["traceback"])))
    return int(found[1]) if found else 1


def nodes_at(source, line):
    """The statements of a cell that hold a line, the innermost last."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with IPython's own commands
        return []
    return [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= n.end_lineno]


def statement(source, line):
    """The code of the check at a line, on one line."""
    found = nodes_at(source, line)
    if not found or hasattr(found[-1], "body"):
        return (source.splitlines() or [""])[min(line, source.count("\n") + 1) - 1].strip()
    return " ".join(ast.get_source_segment(source, found[-1]).split())


def operands(source, line):
    """What a bare ``assert`` compares, as code: the expressions whose values a reader wants to see."""
    asserts = [n for n in nodes_at(source, line) if isinstance(n, ast.Assert)]
    if not asserts:
        return []
    test = asserts[-1].test
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    sides = [side for p in parts if isinstance(p, ast.Compare) for side in [p.left, *p.comparators]]
    return [ast.get_source_segment(source, side) for side in sides if not isinstance(side, ast.Constant)]


def names_made(source):
    """The names that a cell binds, so that a later check that misses one can say why."""
    try:
        tree = ast.walk(ast.parse(source))
    except SyntaxError:
        return []
    found = set()
    for node in tree:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return sorted(found)


def shortened(text):
    """A value on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def report(failed):
    """What the build says at its end of the checks that did not hold: some lines, or none."""
    if not failed:
        return []
    lines = [f"{len(failed)} check(s) did not hold on this machine; the text may not match this run there:"]
    for check in failed:
        lines.append(f"  {check['chapter']}, cell {check['cell']}, line {check['line']}: {check['code']}")
        lines += [f"      {line}" for line in check["said"].splitlines()]
    return lines
