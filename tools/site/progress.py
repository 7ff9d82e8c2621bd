"""Says, notebook by notebook, what the build is executing and how long it took."""

import logging
import sys
import time


class NotebookProgress(logging.Handler):
    """Listens to what myst-nb logs as it starts and ends a notebook; prints one line for each."""

    def __init__(self, total):
        super().__init__(logging.INFO)
        self.total, self.count, self.started = total, 0, None

    @classmethod
    def start(cls, app, env, docnames):
        """Attach to Sphinx's log before the pages are read; a handler for ``env-before-read-docs``."""
        notebooks = [name for name in docnames if str(env.doc2path(name)).endswith(".ipynb")]
        # First in line, so that "failed" is printed before Sphinx prints the traceback.
        logging.getLogger("sphinx").handlers.insert(0, cls(len(notebooks)))

    def emit(self, record):
        words = record.getMessage()
        if "Executing notebook using" in words:
            self.count += 1
            self.started = time.perf_counter()
            self.say(f"  {self.count}/{self.total} {record.docname} … ")
        elif "Executed notebook in" in words:
            self.say(f"{time.perf_counter() - self.started:.1f} s\n")
            self.started = None
        elif "Executing notebook failed" in words and self.started:  # Sphinx repeats its warnings at the end
            self.say("failed\n")
            self.started = None

    def say(self, words):
        print(words, end="", file=sys.stderr, flush=True)
