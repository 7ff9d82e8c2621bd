"""Show one page in the browser, and make it again whenever it changes: ``make preview CHAPTER=chain-rule``.

The site's own Sphinx stays in this process, so that only this page is read and written again. Its
outputs are those that were kept (executed.py): a change of the prose shows within seconds, a change of the
code when the chapter has been executed. Warnings are shown and stop nothing. The site in _build/html is left
alone.
"""

import logging
import sys
import time
from contextlib import contextmanager

from tools import ROOT
from tools.site import executed
from tools.site.build import NotBuilt, bring_up_to_date

PLACE = ROOT / "_build" / "preview"


@contextmanager
def sphinx():
    """Jupyter Book's Sphinx for this book, to be used for as long as the context lasts."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    settings = {"external_toc_path": str(ROOT / "_toc.yml"), "latex_individualpages": False}
    config, _ = get_final_config(
        user_yaml=ROOT / "_config.yml", sourcedir=ROOT / "book", cli_config=settings, use_external_toc=True
    )
    with patch_docutils(None), docutils_namespace():
        app = Sphinx(
            srcdir=ROOT / "book",
            confdir=None,
            outdir=PLACE / "html",
            doctreedir=PLACE / "doctrees",
            buildername="html",
            confoverrides=config,
            status=None,
            warning=sys.stderr,
        )
        app.setup_extension("sphinx_multitoc_numbering")
        yield app


def make(app, name, file):
    """Execute the code if it has changed, and make the page; says how long it took, or what is wrong."""
    from sphinx.environment import CONFIG_OK

    started = time.perf_counter()
    try:
        if name in executed.chapters():
            bring_up_to_date([name])
        app.build(filenames=[str(file)])
    except (
        NotBuilt,
        ValueError,
        OSError,
    ) as error:  # half a notebook, as an editor writes it, is a ValueError
        print(f"{name}: {error}", file=sys.stderr)
    else:
        app.env.config_status = CONFIG_OK  # the next time only what has changed is read
        print(f"{name} is up to date ({time.perf_counter() - started:.1f} s)", flush=True)


def pages():
    """Every page by its name, with the file that it is written in."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    found = {}
    for name in parse_toc_yaml(ROOT / "_toc.yml"):
        files = [ROOT / "book" / f"{name}{ending}" for ending in (".ipynb", ".md")]
        found[name] = next(file for file in files if file.exists())
    return found


def main(name, port):
    known = pages()
    if name not in known:
        sys.exit(f"CHAPTER: no page is called {name!r}; choose from {', '.join(known)}")
    if not port.isdigit() or not 0 < int(port) < 65536:
        sys.exit(f"PORT must be a number from 1 to 65535, not {port!r}")
    from livereload import Server

    logging.disable(logging.INFO)  # a line for every request
    print(f"preparing the preview of {name}", flush=True)
    try:
        with sphinx() as app:
            make(app, name, known[name])
            server = Server()
            server.watch(str(known[name]), lambda: make(app, name, known[name]))
            print(f"{name} is at http://127.0.0.1:{port}/ (stop with Ctrl+C)", flush=True)
            page = {"root": str(PLACE / "html"), "default_filename": f"{name}.html"}
            server.serve(port=int(port), host="127.0.0.1", open_url_delay=0.5, **page)
    except KeyboardInterrupt:
        print()
    except OSError as error:
        sys.exit(f"no preview at port {port} ({error.strerror or error}): try make preview PORT=9000")


if __name__ == "__main__":
    main(*sys.argv[1:])
