"""What a student's code names that a lab has no need of: reasons for a person to read it, never a verdict."""

import ast
import re

from IPython.core.inputtransformer2 import TransformerManager

from tools.marking.answer_key import cells_of

EXIT = "exit call"
SHELL = "IPython's internals"
CHECKS = "touches the checks"
OUTSIDE = "reaches outside the notebook"
DYNAMIC = "code made or read at run time"

MODULES = {
    SHELL: "IPython ipykernel zmq jupyter_client",
    OUTSIDE: "subprocess socket ctypes multiprocessing urllib requests http httpx aiohttp pty threading "
    "_thread signal concurrent asyncio sqlite3 nbgrader shutil tempfile",
    DYNAMIC: "importlib builtins inspect gc atexit marshal pickle traceback",
}
BARE = {
    EXIT: "exit quit SystemExit",
    SHELL: "get_ipython In _ih _i _ii _iii",
    CHECKS: "CheckFailed",
    OUTSIDE: "open input",
    DYNAMIC: "exec eval compile __import__ globals vars __builtins__",
}
ATTRIBUTES = {
    EXIT: "_exit ask_exit",
    SHELL: "showtraceback run_cell user_ns",
    CHECKS: "_render_traceback_",
    DYNAMIC: "__subclasses__ __globals__ __code__ __mro__ _getframe _current_frames f_back f_globals "
    "f_locals",
}
DOTTED = {
    EXIT: "os.kill os.killpg os.abort sys.exit",
    OUTSIDE: "os.system os.popen os.fork os.forkpty os.symlink os.link os.environ os.walk os.listdir "
    "os.scandir os.remove os.execv os.execve os.spawnv os.open",
    DYNAMIC: "sys.modules sys.settrace sys.setprofile sys.path sys.meta_path sys.stdout sys.displayhook",
}
KIND_OF = {
    table: {name: kind for kind, names in rows.items() for name in names.split()}
    for table, rows in (("module", MODULES), ("bare", BARE), ("attribute", ATTRIBUTES), ("dotted", DOTTED))
}
GUARDED = {"exercise", "print"}  # a lab's checks stand on these names: nobody needs to give them away
# A result that answers "equal" to everything, whatever it is compared with.
ANSWERS = {"__torch_function__", "__torch_dispatch__", "__array__", "__bool__", "__float__", "__abs__"}
ANSWERS |= {f"__{name}__" for name in ["eq", "ne", "lt", "le", "gt", "ge", "sub", "rsub", "getattribute"]} | {
    "_render_traceback_"
}
LIBRARIES = {"torch", "np", "numpy", "math", "plt", "F", "nn", "sys", "os", "blowup"}
HARMLESS = re.compile(r"^\s*%(?:(?:matplotlib|config|precision)\b.*|%?(?:timeit|time)\b)", re.MULTILINE)
PATH = re.compile(r"^(?:/|~)[\w./~-]*\w|/proc/|(?:^|/)\.\./")


def scan(notebook, lab):
    """Notes on the code that the student wrote: one for each kind of finding and cell."""
    given = {cell.source.strip() for known in (lab.release, lab.master) for cell in known.cells}
    names = {id(cell): name for name, cell in cells_of(notebook).items()}
    theirs = given_names(lab)
    notes = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and cell.source.strip() not in given:
            where = names.get(id(cell), f"cell {number}")
            for kind, words in findings(cell.source).items():
                notes.append(f"{kind}, {where}: {', '.join(sorted(words))[:120]}")
            again = sorted(defined(cell.source) & theirs)
            notes += [f"defines again what the lab gives, {where}: {', '.join(again)[:120]}"] if again else []
    return notes


def given_names(lab):
    """The functions and classes that the lab itself defines, students' own exercises apart."""
    code = [cell for cell in lab.master.cells if cell.cell_type == "code"]
    own = [cell for cell in code if cell.metadata.get("nbgrader", {}).get("solution")]
    return set().union(*(defined(c.source) for c in code)) - set().union(*(defined(c.source) for c in own))


def defined(source):
    """The functions and classes that a cell's source defines at its top level."""
    try:
        body = ast.parse(TransformerManager().transform_cell(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def root(node):
    """The name that a chain of attributes starts with, or ""."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return getattr(node, "id", "")


def findings(source):
    """Maps each kind of finding to the names found in a cell's source (a set of strings)."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(HARMLESS.sub("", source)))
        pairs = [pair for node in ast.walk(tree) for pair in named(node)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        chains = re.findall(r"[\w.]+", source)  # no Python: tell by the words alone
        words = {word for chain in chains for word in (chain, *chain.split("."))}
        pairs = [(kind, word) for table in KIND_OF.values() for word, kind in table.items() if word in words]
    found = {}
    for kind, word in pairs:
        found.setdefault(kind, set()).add(word)
    return found


def named(node):
    """The (kind, name) pairs that one node of the syntax tree stands for."""
    if isinstance(node, ast.Import):
        yield from (pair for alias in node.names for pair in imported(alias.name))
    elif isinstance(node, ast.ImportFrom):
        if (node.module or "").endswith("checks") and all(
            a.name == (a.asname or a.name) == "exercise" for a in node.names
        ):
            return  # what the lab's own first cell says
        yield from imported(node.module or "")
        yield from (pair for a in node.names for pair in hint("dotted", f"{node.module}.{a.name}"))
        yield from ((CHECKS, a.asname or a.name) for a in node.names if (a.asname or a.name) in GUARDED)
    elif isinstance(node, ast.Attribute):
        yield from hint("attribute", node.attr)
        if not isinstance(node.ctx, ast.Load) and root(node) in LIBRARIES:
            yield CHECKS, f"{ast.unparse(node)} = …"
        yield from hint("dotted", f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else "")
    elif isinstance(node, ast.Name):
        yield from hint("bare", node.id)
        if node.id in GUARDED and not isinstance(node.ctx, ast.Load):
            yield CHECKS, node.id
    elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in GUARDED | ANSWERS:
        yield CHECKS, node.name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PATH.search(node.value[:300]):
        yield OUTSIDE, repr(node.value[:40])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        computed = len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
        if node.func.id in ("setattr", "delattr") or (node.func.id == "getattr" and computed):
            yield DYNAMIC, node.func.id


def imported(module):
    """What importing a module hints at: the checks themselves, or a module that the lab does not need."""
    if module.endswith("checks"):
        yield CHECKS, module
    yield from hint("module", module.split(".")[0])


def hint(table, name):
    """The finding for a name in one of the tables, if it is there."""
    if name in KIND_OF[table]:
        yield KIND_OF[table][name], name
