"""Serves the organisation of `tests/radicale` with a CalDAV server that Debian carries, in the foreground.

usage: serve.py cyrus|davical|sabre --data DIR [--start YYYY-MM-DD] [--json]

DIR must be empty or absent; all that the server writes is in it. Prints the address, the technical account's name and
password, and two shell commands that make the server refuse the account and accept it again (as one JSON object with
`--json`), says "CalDAV server ready" on stderr, and ends, with all that it started, when it is told to: with status 1 if the
calendar that is not shared holds anything that was not there before but what its owner was invited to.
"""

import argparse
import json
import sys
from datetime import date
from pathlib import Path

sys.dont_write_bytecode = True  # the repository stays clean

import organisation  # noqa: E402
from cyrus import Cyrus  # noqa: E402
from davical import Davical  # noqa: E402
from processes import Processes  # noqa: E402
from sabre import Sabre  # noqa: E402

SERVERS = {"cyrus": Cyrus, "davical": Davical, "sabre": Sabre}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--start", type=date.fromisoformat, default=date.today(),
        help="the week the events begin in; this week if absent")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    asked = arguments()
    data = asked.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    # The servers run as users of their own and have to get through.
    data.chmod(0o711)
    server = SERVERS[asked.server](data)
    everybody = list(organisation.members(server.user_of))
    with Processes(data / "log") as processes:
        told = server.start(processes, everybody, organisation.this_monday(asked.start))
        told["out_of_reach"] = next(one.address for one in everybody if not one.is_shared)
        client, closed = server.closed(everybody)
        before = client.members(closed)
        assert before, "the calendar that is closed holds events"
        print(json.dumps(told) if asked.json else "\n".join(f"{key}: {value}" for key, value in told.items()), flush=True)
        print("CalDAV server ready", file=sys.stderr, flush=True)
        try:
            processes.wait()
        finally:
            client, closed = server.closed(everybody)
            touched = list(changes(client, closed, before, told["out_of_reach"]))
            if touched:
                sys.exit("\n".join(["A calendar that is not shared has been touched:", *touched]))


def changes(client, closed, before, owner):
    """What is no longer as it was in the closed calendar.

    An invitation of somebody else's that the server itself delivered to the owner (RFC 6638) is as it must be: the
    technical account has no right by which it could have written one there.
    """
    after = client.members(closed)
    for href in before:
        if after.get(href) != before[href]:
            yield href
    for href in after.keys() - before.keys():
        text = client.send("GET", href)
        if not is_invitation(text, owner):
            yield f"{href}\n{text}"


def is_invitation(text, owner):
    """Whether an iCalendar text invites the owner to what somebody else organises."""
    lines = text.replace("\r\n", "\n").replace("\n ", "").lower().split("\n")
    organizers = [line for line in lines if line.startswith("organizer")]
    attendees = [line for line in lines if line.startswith("attendee")]
    mail = f"mailto:{owner}".lower()
    return bool(organizers) and not any(mail in line for line in organizers) and any(mail in line for line in attendees)


if __name__ == "__main__":
    main()
