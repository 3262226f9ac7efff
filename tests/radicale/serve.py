"""Lays out an organisation and serves it with Radicale, in the foreground.

usage: serve.py --port P --data DIR [--start YYYY-MM-DD] [--password TEXT] [--json]

DIR is made when it is not there, and kept as it is otherwise. In it:
  users        user names and passwords, one `name:password` a line; read afresh at every request, so a password
               changes on the running server by rewriting its line
  rights       who may do what; read at the start
  config       Radicale's configuration
  collections  the calendars

Prints the address, the service account's name and password and the path of `users` (as one JSON object with
`--json`), then becomes the server: the process id stays. Radicale says "Radicale server ready" on stderr when it
answers. Port 0 takes a free one.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import sys
from datetime import date, timedelta
from pathlib import Path

sys.dont_write_bytecode = True  # the repository stays clean

import fixture  # noqa: E402

CONFIG = """[server]
hosts = 127.0.0.1:{port}
max_connections = 64
[auth]
type = htpasswd
htpasswd_filename = {data}/users
htpasswd_encryption = plain
htpasswd_cache = False
cache_logins = False
delay = 0
[rights]
type = from_file
file = {data}/rights
[storage]
filesystem_folder = {data}/collections
[web]
type = none
[logging]
level = info
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=date.fromisoformat, help="the week the events begin in; this week if absent")
    parser.add_argument("--password", help="of the service account; made up if absent")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lay_out(data, start, password):
    collections = data / "collections"
    if not collections.exists():
        # Complete or not at all: an interrupted start must not leave half an organisation.
        partly = data / "collections.partly"
        shutil.rmtree(partly, ignore_errors=True)
        fixture.lay_out(partly, start - timedelta(days=start.weekday()))
        partly.rename(collections)
    (data / "rights").write_text(fixture.RIGHTS, encoding="utf-8")
    users = data / "users"
    known = dict(line.split(":", 1) for line in users.read_text().splitlines() if line) if users.exists() else {}
    for principal, _, _ in fixture.principals():
        known.setdefault(principal, secrets.token_urlsafe(12))
    if password:
        known[fixture.SERVICE] = password
    users.touch(mode=0o600)
    users.write_text("".join(f"{name}:{value}\n" for name, value in known.items()))
    return known[fixture.SERVICE]


def main():
    asked = arguments()
    data = asked.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    password = lay_out(data, asked.start or date.today(), asked.password)
    port = asked.port or free_port()
    (data / "config").write_text(CONFIG.format(port=port, data=data))
    told = {
        "url": f"http://127.0.0.1:{port}/",
        "user": fixture.SERVICE,
        "password": password,
        "users": str(data / "users"),
    }
    print(json.dumps(told) if asked.json else "\n".join(f"{key}: {value}" for key, value in told.items()), flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "radicale", "--config", str(data / "config")])


if __name__ == "__main__":
    main()
