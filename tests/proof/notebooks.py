"""Small notebooks for the tests of rerolls and mutants, and the laws that they hold."""

import nbformat

FAIR = """\
import torch
from blowup.evidence import agree, certain

rng = torch.Generator().manual_seed(0)
sample = torch.randn(256, generator=rng)
scale = 2.0
"""
LAWS = """\
agree(sample, 0.0)
agree(scale * sample, 0.0, statistic=lambda v: v.std() - 2, within=0.1)
"""
LUCKY = "certain(sample[0] == sample_of_seed_0, 'the first number is that of seed 0')"


def write(path, *cells):
    """A notebook file; cells are (source, *tags). The ids are the cells' places: cell-0, cell-1, …"""
    notebook = nbformat.v4.new_notebook()
    for k, (source, *tags) in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{k}")
        cell.metadata["tags"] = tags
        notebook.cells.append(cell)
    nbformat.write(notebook, path)
    return path
