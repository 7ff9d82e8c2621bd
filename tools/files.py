"""Files written whole or not at all."""

import os


def write_whole(path, text):
    """Write a text file so that it is there whole or not at all, whenever the machine stops; an OSError
    names it.

    Makes the folder. Two processes that write the same file do not mix their words: the last one counts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # what could not be written, and not its draft
        raise
