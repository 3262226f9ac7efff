"""Makes Xandikos forget every sync token that it has given away for one calendar.

usage: forget.py CALENDAR

CALENDAR is the folder of the calendar. Its tokens are the ids of the trees of its git repository: the present tree
gets another id by a blank line in the calendar's settings, and the trees of its past are removed.
"""

import sys
from pathlib import Path

from dulwich.objects import Tree
from dulwich.repo import Repo

AUTHOR = b"Fixture <fixture@corp.test>"


def settings(calendar):
    """The file of the calendar's settings, wherever this version keeps it."""
    names = [".xandikos/config", ".xandikos"]
    return next(name for name in names if (calendar / name).is_file())


def main(calendar):
    with Repo(str(calendar)) as repo:
        old = [sha for sha in repo.object_store if isinstance(repo.object_store[sha], Tree)]
        name = settings(calendar)
        with open(calendar / name, "a", encoding="utf-8") as file:
            file.write("\n")
        work = repo.get_worktree()
        work.stage([name])
        head = work.commit(message=b"Begin anew.", committer=AUTHOR, author=AUTHOR)
        new = repo[repo[head].tree]
        kept = {new.id} | {entry.sha for entry in new.iteritems()}
        for sha in set(old) - kept:
            text = sha.decode("ascii")
            (calendar / ".git" / "objects" / text[:2] / text[2:]).unlink()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
