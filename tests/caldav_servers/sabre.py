"""A sabre/dav server on SQLite, served by PHP's own web server.

What is peculiar to it: principals, homes and their calendars lie in two trees; the technical account is a
`calendar-proxy-write` delegate of everybody whom it serves; no default calendar is named and a delegate may write to
all of them, so only the collection's transparency tells a generated one; the principals of others appear in a listing
with status 403.
"""

import os
import secrets
import shlex
import sqlite3
import sys
from pathlib import Path

import organisation
from client import Client
from processes import Processes, User, free_port, program

BIRTHDAYS = "contact_birthdays"
CALENDAR = "personal"
# The columns are those that the package's backends name.
TABLES = """
CREATE TABLE users (username TEXT PRIMARY KEY, password TEXT NOT NULL);
CREATE TABLE principals (id INTEGER PRIMARY KEY, uri TEXT UNIQUE, email TEXT, displayname TEXT, vcardurl TEXT);
CREATE TABLE groupmembers (id INTEGER PRIMARY KEY, principal_id INTEGER, member_id INTEGER);
CREATE TABLE calendars (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, description TEXT,
    calendarorder INTEGER, calendarcolor TEXT, timezone TEXT, components TEXT, ctag INTEGER, transparent INTEGER);
CREATE TABLE calendarobjects (id INTEGER PRIMARY KEY, calendardata BLOB, uri TEXT, calendarid INTEGER,
    lastmodified INTEGER, etag TEXT, size INTEGER, componenttype TEXT, firstoccurence INTEGER, lastoccurence INTEGER);
"""


class Sabre:
    """A server in the making."""

    user_of = staticmethod(lambda local: local.replace(".", "-"))

    def __init__(self, data: Path):
        self.database = data / "sabre" / "database"
        self.user, self.http = User("www-data", "www-data"), free_port()
        self.passwords = {}

    def start(self, processes: Processes, everybody, monday):
        """Starts the server and lays out the organisation; answers what a caller needs to know of it."""
        passwords = self.passwords = {one.user: secrets.token_urlsafe(12) for one in everybody}
        self.database.parent.mkdir()
        with sqlite3.connect(self.database) as database:
            database.executescript(TABLES)
            for one in everybody:
                make_principal(database, one, passwords[one.user])
        self.user.own(self.database.parent)
        processes.start(
            self.user.command(program("php"), "-S", f"127.0.0.1:{self.http}", str(Path(__file__).with_suffix(".php"))),
            env=os.environ | {"MUSTER_SABRE_DATABASE": str(self.database), "PHP_CLI_SERVER_WORKERS": "4"})
        processes.until_open(self.http)
        for one in everybody:
            self.lay_out_one(one, passwords[one.user], monday)
        password = passwords[organisation.ACCOUNT]
        return {
            "url": f"http://127.0.0.1:{self.http}/",
            "user": organisation.ACCOUNT,
            "password": password,
            "revoke": self.change_password(secrets.token_urlsafe(12)),
            "restore": self.change_password(password),
        }

    def closed(self, everybody):
        """The calendar that nobody but its owner may touch: its owner's connection and its path."""
        owner = next(one.user for one in everybody if not one.is_shared)
        return Client(self.http, owner, self.passwords[owner]), f"/calendars/{owner}/{CALENDAR}/"

    def lay_out_one(self, one, password, monday):
        client, home = Client(self.http, one.user, password), f"/calendars/{one.user}/"
        client.make_calendar(f"{home}{CALENDAR}/", one.name)
        client.put(f"{home}{CALENDAR}/", one.resources(monday))
        if one.has_birthdays:
            client.make_calendar(f"{home}{BIRTHDAYS}/", "Birthdays")
            transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
            client.set(f"{home}{BIRTHDAYS}/", transparent)
            client.put(f"{home}{BIRTHDAYS}/", one.birthdays(monday))

    def change_password(self, password):
        """A line for a shell that changes the technical account's password."""
        statement = "UPDATE users SET password = ? WHERE username = ?"
        script = f"import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute({statement!r}, sys.argv[2:]); d.commit()"
        command = [sys.executable, "-c", script, str(self.database), password, organisation.ACCOUNT]
        return shlex.join(command)


def make_principal(database, one, password):
    """Makes a user, the user's principal and its two groups of delegates, with the technical account in one."""
    database.execute("INSERT INTO users VALUES (?, ?)", (one.user, password))
    uri = f"principals/{one.user}"
    insert = "INSERT INTO principals (uri, email, displayname) VALUES (?, ?, ?)"
    made = database.execute(insert, (uri, one.address, one.name)).lastrowid
    groups = {
        group: database.execute(insert, (f"{uri}/{group}", None, None)).lastrowid
        for group in ("calendar-proxy-read", "calendar-proxy-write")
    }
    if one.user == organisation.ACCOUNT:
        assert made == 1, "the technical account is the first principal"
    elif one.is_shared:
        member = "INSERT INTO groupmembers (principal_id, member_id) VALUES (?, 1)"
        database.execute(member, (groups["calendar-proxy-write"],))
