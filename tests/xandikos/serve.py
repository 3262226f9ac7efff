"""Lays out the organisation of `tests/radicale` and serves it with Xandikos behind a gate, in the foreground.

usage: serve.py --port P --data DIR [--start YYYY-MM-DD] [--password TEXT] [--json]

Xandikos leaves passwords and rights to whatever stands before it. Here that is a gate in the same process: the
service account may go everywhere but to the outsider, sees only free and busy of those who are closed, and everybody
else is at home only. DIR is made when it is not there, and kept as it is otherwise. In it:
  users        user names and passwords, one `name:password` a line; read afresh at every request
  closed       addresses whose calendars may be asked for free and busy only, one a line; read afresh as well
  collections  the calendars, one git repository each

Principals are called by the part of their address before the `@`; their addresses and which of them are rooms are
published as properties. Prints the address, the service account's name and password and the paths of `users`,
`closed` and `collections` (as one JSON object with `--json`), then serves; says "Xandikos server ready" on stderr
when it answers. Port 0 takes a free one.
"""

import argparse
import asyncio
import base64
import binascii
import hmac
import json
import logging
import secrets
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import unquote

sys.dont_write_bytecode = True  # the repository stays clean
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "radicale"))

import fixture  # noqa: E402
from aiohttp import StreamReader, web  # noqa: E402
from dulwich.repo import Repo  # noqa: E402
from xandikos import webdav  # noqa: E402
from xandikos.store import STORE_TYPE_CALENDAR, STORE_TYPE_SCHEDULE_OUTBOX  # noqa: E402
from xandikos.store.git import TreeGitStore  # noqa: E402
from xandikos.web import SingleUserFilesystemBackend, XandikosApp  # noqa: E402

AUTHOR = b"Fixture <fixture@corp.test>"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=date.fromisoformat, help="the week the events begin in; this week if absent")
    parser.add_argument("--password", help="of the service account; made up if absent")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def local(principal):
    return principal.split("@")[0]


def lay_out_calendar(path, name, events):
    """One calendar with all its events in one commit."""
    store = TreeGitStore.create(str(path))
    store.set_type(STORE_TYPE_CALENDAR)
    store.set_displayname(name)
    store.config.set_timezone("\r\n".join(["BEGIN:VCALENDAR", *fixture.VTIMEZONE.split("\n"), "END:VCALENDAR", ""]))
    names = []
    for uid, parts in events:
        (path / f"{uid}.ics").write_bytes(fixture.resource(uid, parts).encode("utf-8"))
        names.append(f"{uid}.ics")
    if names:
        with Repo(str(path)) as repo:
            tree = repo.get_worktree()
            tree.stage(names)
            tree.commit(message=b"Lay out the fixture.", committer=AUTHOR, author=AUTHOR)


def lay_out(root, monday):
    for index, (principal, name, _) in enumerate(fixture.principals()):
        home = root / local(principal)
        (home / "calendars").mkdir(parents=True)
        address = principal if "@" in principal else f"{principal}@{fixture.DOMAIN}"
        kind = "ROOM" if principal.startswith("room-") else "INDIVIDUAL"
        (home / ".xandikos").write_text(f"[scheduling]\naddresses = mailto:{address}\nuser-type = {kind}\n")
        lay_out_calendar(home / "calendars" / "calendar", name, fixture.events(principal, monday, index))
        if principal == fixture.SERVICE:
            TreeGitStore.create(str(home / "outbox")).set_type(STORE_TYPE_SCHEDULE_OUTBOX)


def prepare(data, start, password):
    collections = data / "collections"
    if not collections.exists():
        # Complete or not at all: an interrupted start must not leave half an organisation.
        partly = data / "collections.partly"
        shutil.rmtree(partly, ignore_errors=True)
        lay_out(partly, start - timedelta(days=start.weekday()))
        partly.rename(collections)
    (data / "closed").touch()
    users = data / "users"
    known = dict(line.split(":", 1) for line in users.read_text().splitlines() if line) if users.exists() else {}
    for principal, _, _ in fixture.principals():
        known.setdefault(local(principal), secrets.token_urlsafe(12))
    if password:
        known[fixture.SERVICE] = password
    users.touch(mode=0o600)
    users.write_text("".join(f"{name}:{value}\n" for name, value in known.items()))
    return known[fixture.SERVICE]


def user_of(request, users):
    """Who asks, by the Basic credentials; None when they are not good."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = dict(line.split(":", 1) for line in users.read_text().splitlines() if line)
    good = name in known and hmac.compare_digest(known[name].encode(), password.encode())
    return name if scheme.lower() == "basic" and good else None


async def may(request, user, closed):
    """Whether the user may do this."""
    owner = unquote(request.path).strip("/").split("/")[0]
    if owner in ("", user):
        return True
    if user != fixture.SERVICE or owner == local(fixture.OUTSIDER):
        return False
    if f"{owner}@{fixture.DOMAIN}" not in closed.read_text().split():
        return True
    if request.method == "REPORT":
        return b"free-busy-query" in await peek(request)
    return request.method in ("PROPFIND", "OPTIONS")


async def peek(request):
    """The body of a request, which stays to be read by whoever answers it."""
    body = await request.read()
    again = StreamReader(request.protocol, 1 << 16, loop=asyncio.get_running_loop())
    again.feed_data(body)
    again.feed_eof()
    request._payload = again
    return body


def gate(data):
    @web.middleware
    async def middleware(request, handler):
        user = user_of(request, data / "users")
        if user is None:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="calendars"'})
        if not await may(request, user, data / "closed"):
            return web.Response(status=403)
        request[webdav.AUTHENTICATED_USER_ATTR] = user
        return await handler(request)

    return middleware


class Backend(SingleUserFilesystemBackend):
    """Tells Xandikos that the gate's word on who asks is to be taken; the principals are laid out already."""

    def set_principal(self, user):
        assert self.get_principal(f"/{user}") is not None


async def serve(asked, data, password):
    backend = Backend(str(data / "collections"))
    for principal, _, _ in fixture.principals():
        backend._mark_as_principal(f"/{local(principal)}")
    dav = XandikosApp(backend, current_user_principal="/%(REMOTE_USER)s/")
    app = web.Application(middlewares=[gate(data)], client_max_size=16 << 20)
    app.router.add_route("*", "/{path_info:.*}", lambda request: dav.aiohttp_handler(request, "/"))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", asked.port)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    told = {
        "url": f"http://127.0.0.1:{port}/",
        "user": fixture.SERVICE,
        "password": password,
        "users": str(data / "users"),
        "closed": str(data / "closed"),
        "collections": str(data / "collections"),
    }
    print(json.dumps(told) if asked.json else "\n".join(f"{key}: {value}" for key, value in told.items()), flush=True)
    print("Xandikos server ready", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


def main():
    asked = arguments()
    logging.basicConfig(level=logging.WARNING)
    data = asked.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    password = prepare(data, asked.start or date.today(), asked.password)
    asyncio.run(serve(asked, data, password))


if __name__ == "__main__":
    main()
