"""What the tests of the chapters share: the code that a chapter writes out in its cells, and its digits."""

import ast

import nbformat

from blowup.data import load
from tests import ROOT


def defined_in(chapter, *names):
    """Run what ``chapter`` imports and what defines ``names``; returns the namespace.

    A name is defined by the statements that bind it in the first cell, tests aside, that does. Nothing else
    of the cell runs, so a test neither draws nor trains. Raises KeyError for a name that no cell defines, so
    that a renamed function fails its test.
    """
    namespace, missing = {}, set(names)
    for cell in nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells:
        if cell.cell_type != "code" or {"test", "setup"} & set(cell.metadata.get("tags", [])):
            continue
        tree = ast.parse(cell.source)
        here = missing & set().union(*map(binds, tree.body))
        wanted = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) or here & binds(n)]
        exec(compile(ast.Module(wanted, []), chapter, "exec"), namespace)
        missing -= here
    if missing:
        raise KeyError(f"{chapter} defines no {', '.join(sorted(missing))}")
    return namespace


def binds(node):
    """The names that one statement at the top of a cell defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def standardized_digits():
    """The digits as the chapters feed them to a deep net: the keyword arguments of ``train``."""
    data = load("digits")
    mean, sd = data.x_train.mean(), data.x_train.std()
    x, x_test = (((x - mean) / sd).flatten(1) for x in (data.x_train, data.x_test))
    return {"x": x, "y": data.y_train, "x_test": x_test, "y_test": data.y_test}
