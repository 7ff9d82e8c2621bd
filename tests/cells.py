"""The code that a chapter writes out in its cells, so that tests can hold the package to it."""

import ast

import nbformat
from conftest import ROOT


def defined_in(chapter, *names):
    """Run the cells of ``chapter`` that import modules or define one of ``names``; returns their namespace.

    A cell that defines something is run whole and in order, with the imports of the cells before it. Raises
    KeyError for a name that no cell defines, so that a renamed function fails its test.
    """
    namespace = {}
    for cell in nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells:
        if cell.cell_type != "code" or {"test", "setup"} & set(cell.metadata.get("tags", [])):
            continue
        tree = ast.parse(cell.source)
        wanted = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) or set(names) & binds(n)]
        exec(compile(ast.Module(wanted, []), chapter, "exec"), namespace)
    missing = [name for name in names if name not in namespace]
    if missing:
        raise KeyError(f"{chapter} defines no {', '.join(missing)}")
    return namespace


def binds(node):
    """The names that one statement at the top of a cell defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
