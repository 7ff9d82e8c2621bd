"""_config.yml is the only place where the repository's address stands; `make address` writes the others."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from tests import ROOT
from tools.labs import derive
from tools.upkeep import address

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
KEPT = (
    "README.md",
    "LICENSE-TEXT.md",
    "_config.yml",
    "pyproject.toml",
    "blowup/__init__.py",
    "tools/upkeep/setup_cell.txt",
    "labs/README.md",
)


@pytest.fixture
def copy(tmp_path):
    """A copy of every file that the address or the version stands in."""
    for name in KEPT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in ("book", "course"):
        pages = shutil.ignore_patterns("*.csv", "*.svg", "*.png", "*.js", "*.css", "_*")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=pages)
    lab(tmp_path, CONFIG["url"].removeprefix("https://github.com/"))
    return tmp_path


def lab(root, slug):
    """A lab's source that names the address itself, and the notebook that is made of it."""
    link = f"https://colab.research.google.com/github/{slug}/blob/main/labs/trial.ipynb"
    (root / "labs" / "sources").mkdir(parents=True, exist_ok=True)
    source = f"# %% [markdown]\n# # Lab\n\n# %% [markdown]\n# [open]({link})\n"
    (root / "labs" / "sources" / "trial.py").write_text(source)
    derive.main([], root)


def texts(root):
    files = [p for p in root.rglob("*") if p.suffix in (".md", ".ipynb", ".toml", ".yml", ".txt", ".py")]
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf8") for p in files}


def move(root, url, branch="trunk"):
    """Give the copy another address, as a fork would."""
    config = (root / "_config.yml").read_text()
    config = config.replace(f"url: {CONFIG['url']}", f"url: {url}")
    (root / "_config.yml").write_text(config.replace(f"branch: {CONFIG['branch']}", f"branch: {branch}"))
    address.main([], root)
    derive.main([], root)


def test_nothing_is_stale():
    command = [sys.executable, "-m", "tools.upkeep.address", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_fork_writes_its_address_everywhere(copy, capsys):
    move(copy, "https://github.com/someone/a-fork")
    owner, name = CONFIG["url"].split("/")[-2:]
    left = [
        file
        for file, text in texts(copy).items()
        if f"{owner}/{name}" in text or f"{owner}.github.io" in text
    ]
    assert not left
    for notebook in (copy / "book").glob("*.ipynb"):
        text = notebook.read_text()
        assert "github.com/someone/a-fork/archive/refs" in text and "{refs}/heads/trunk.zip" in text
    assert "https://someone.github.io/a-fork" in (copy / "pyproject.toml").read_text()
    binder = "mybinder.org/v2/gh/someone/a-fork/trunk?urlpath=lab/tree/labs/clinic.ipynb"
    assert binder in (copy / "book" / "labs.md").read_text()
    assert (
        "github.com/someone/a-fork/tree/trunk/course/questions" in (copy / "course" / "README.md").read_text()
    )


def test_a_fork_writes_its_address_into_the_labs(copy, capsys):
    """By way of the source: the address changes that, and the labs' own tool makes the notebook of it."""
    move(copy, "https://github.com/someone/a-fork")
    _, setup, page = nbformat.read(copy / "labs" / "trial.ipynb", as_version=4).cells
    assert setup.source == address.setup_cell(copy)
    assert "/github/someone/a-fork/blob/trunk/labs/trial.ipynb" in page.source
    assert page.source in (copy / "labs" / "sources" / "trial.py").read_text()


def test_twice_is_once(copy, capsys):
    move(copy, "https://github.com/someone/a-fork")
    once = texts(copy)
    address.main([], copy)
    derive.main([], copy)
    said = capsys.readouterr().out
    assert texts(copy) == once and "nothing to rewrite" in said and "nothing to write" in said


def test_there_and_back_is_nothing(copy, capsys):
    """A fork of a fork, or a mistake taken back, leaves no trace."""
    before = texts(copy)
    move(copy, "https://github.com/someone/a-fork", branch=CONFIG["branch"])
    config = (copy / "_config.yml").read_text().replace("https://github.com/someone/a-fork", CONFIG["url"])
    (copy / "_config.yml").write_text(config)
    address.main([], copy)
    derive.main([], copy)
    assert texts(copy) == before


def test_a_new_version_makes_the_setup_cells_stale(copy):
    init = copy / "blowup" / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".+?"', '__version__ = "99.0.0"', init.read_text()))
    with pytest.raises(SystemExit, match=r"stale: .*chain-rule\.ipynb.*make address"):
        address.main(["--check"], copy)
    address.main([], copy)
    assert "{refs}/tags/v99.0.0.zip" in (copy / "book" / "chain-rule.ipynb").read_text()


@pytest.mark.parametrize("url", ["https://example.org/a/b", "github.com/a/b", "https://github.com/a", ""])
def test_a_bad_address_is_named(copy, url):
    with pytest.raises(ValueError, match=r"repository\.url must be https://github\.com/OWNER/NAME"):
        move(copy, url)


def test_the_address_stands_nowhere_else():
    """Every tracked or new file that names the repository is one that `make address` rewrites."""
    files = [file for file, *_ in (*address.derived(ROOT), *derive.derived(ROOT))]
    known = {file.relative_to(ROOT).as_posix() for file in files} | {"_config.yml"}
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    slug = CONFIG["url"].removeprefix("https://github.com/").encode()
    named = {f for f in files if (ROOT / f).is_file() and slug in (ROOT / f).read_bytes()}
    assert named <= known, f"write these from _config.yml too: {sorted(named - known)}"
