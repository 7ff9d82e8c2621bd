"""Show the built site on this machine's own address. `make serve` calls this."""

import http.server
import sys
from functools import partial

from tools.site.build import SITE, STAMP

TRIES = 20  # ports after the one asked for


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing about each."""

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server that does not mind a browser that goes away before it has read everything."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def shows(folder, port):
    """A server of the files in a folder, on this machine's own address; port 0 takes any free one."""
    return Server(("127.0.0.1", port), partial(Quiet, directory=folder))


def open_port(first):
    """A server on the first free port from ``first`` on; raises OSError when none of TRIES is free."""
    for port in range(first, first + TRIES):
        try:
            return shows(SITE, port)
        except OSError:
            if port == first + TRIES - 1:
                raise


def main(argument):
    if not STAMP.exists():
        sys.exit("there is no whole site yet: run `make book` first")
    if not argument.isdigit() or not 0 < int(argument) < 65536 - TRIES:
        sys.exit(f"PORT must be a number from 1 to {65535 - TRIES}, not {argument!r}")
    try:
        server = open_port(int(argument))
    except OSError as error:
        sys.exit(f"no free port from {argument} on ({error}): try make serve PORT=9000")
    print(f"the book is at http://127.0.0.1:{server.server_address[1]}/ (stop with Ctrl+C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "8000")
