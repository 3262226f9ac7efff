"""DAViCal on a private PostgreSQL, served by PHP's own web server.

What is peculiar to it: user names are no part of mail addresses; a principal is a collection and its own home; rights
are granted by principal and by collection, and some of them hide what one may do; `schedule-default-calendar-URL` of somebody
without a calendar names the root; private events of others are listed by `sync-collection` alone; a request for the
sync token of the root is answered with status 500.
"""

import os
import secrets
import shlex
import subprocess
import time
from pathlib import Path

import organisation
from client import Client
from processes import Processes, User, free_port, program

SHARE = Path("/usr/share/davical")
BIRTHDAYS = "birthdays"
# The package's name of the calendar that is the default one.
CALENDAR = "calendar"
# What the package's page grants at the press of "Read/Write" and "Read", and what its relation "Can read/write to" does.
READ_WRITE = [
    "DAV::read", "DAV::write-properties", "DAV::write-content", "DAV::bind", "DAV::unbind",
    "DAV::read-current-user-privilege-set", "caldav:read-free-busy", "caldav:schedule-deliver-invite",
    "caldav:schedule-deliver-reply", "caldav:schedule-query-freebusy", "caldav:schedule-send-invite",
    "caldav:schedule-send-reply", "caldav:schedule-send-freebusy",
]
READ = [
    "DAV::read", "DAV::read-current-user-privilege-set", "caldav:read-free-busy", "caldav:schedule-query-freebusy",
]
RELATION = ["DAV::read", "DAV::write"]
# Of the package's table of the kinds of principals.
PERSON, RESOURCE = 1, 2


class Davical:
    """A server in the making."""

    user_of = staticmethod(lambda local: local.split(".")[0])

    def __init__(self, data: Path):
        self.data = data
        self.postgres, self.php = User("postgres", "postgres"), User("www-data", "www-data")
        self.http, self.port = free_port(), free_port()
        self.psql = program("psql")
        self.passwords = {}

    def start(self, processes: Processes, everybody, monday):
        """Starts the server and lays out the organisation; answers what a caller needs to know of it."""
        self.start_postgres(processes)
        self.make_database()
        passwords = self.passwords = {one.user: secrets.token_urlsafe(12) for one in everybody}
        for one in everybody:
            self.sql(principal(one, passwords[one.user]))
        processes.start(
            self.php.command(
                program("php"), "-S", f"127.0.0.1:{self.http}", "-t", str(SHARE / "htdocs"),
                str(Path(__file__).resolve().with_suffix(".php"))),
            # The package's configuration says nothing of the place of the database: its client asks these.
            env=os.environ | self.database() | {"PHP_CLI_SERVER_WORKERS": "4"})
        processes.until_open(self.http)
        for one in everybody:
            self.lay_out_one(one, passwords[one.user], monday)
        self.sql("".join(grants(one) for one in everybody))
        password = passwords[organisation.ACCOUNT]
        return {
            "url": f"http://127.0.0.1:{self.http}/caldav.php/",
            "user": organisation.ACCOUNT,
            "password": password,
            "revoke": self.change_password(secrets.token_urlsafe(12)),
            "restore": self.change_password(password),
        }

    def closed(self, everybody):
        """The calendar that nobody but its owner may touch: its owner's connection and its path."""
        owner = next(one.user for one in everybody if not one.is_shared)
        return Client(self.http, owner, self.passwords[owner]), f"/caldav.php/{owner}/{CALENDAR}/"

    def database(self):
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres"}

    def start_postgres(self, processes):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        folder = found[-1].parent if found else Path(program("postgres")).parent
        cluster = self.data / "postgres"
        cluster.mkdir()
        self.postgres.own(cluster)
        self.postgres.run(
            str(folder / "initdb"), "--pgdata", str(cluster), "--username", "postgres", "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C", "--no-sync", cwd=cluster)
        processes.start(
            self.postgres.command(
                str(folder / "postgres"), "-D", str(cluster), "-p", str(self.port), "-k", str(cluster),
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            cwd=cluster)
        processes.until_open(self.port)
        self.until_ready(str(folder / "pg_isready"))

    def until_ready(self, tool):
        until = time.monotonic() + 30
        while subprocess.run([tool, "--quiet"], env=os.environ | self.database()).returncode:
            if time.monotonic() > until:
                raise RuntimeError("PostgreSQL is not ready")
            time.sleep(0.05)

    def make_database(self):
        where = {"DBAOPTS": f"--dbhost 127.0.0.1 --dbport {self.port}"}
        script = str(SHARE / "dba/create-database.sh")
        made = subprocess.run(
            ["sh", script, "davical", secrets.token_urlsafe(12)], env=os.environ | self.database() | where,
            capture_output=True, text=True, cwd=self.data)
        if made.returncode:
            raise RuntimeError(f"{script} ended with {made.returncode}: {made.stdout}{made.stderr}")

    def tool(self, statement):
        return [self.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, "davical"]

    def sql(self, statements):
        done = subprocess.run(
            self.tool(statements), env=os.environ | self.database(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{statements}: {done.stderr}")

    def change_password(self, password):
        """A line for a shell that changes the technical account's password."""
        where = [f"{name}={value}" for name, value in self.database().items()]
        statement = f"UPDATE usr SET password = '**{password}' WHERE username = '{organisation.ACCOUNT}'"
        return shlex.join(["env", *where, *self.tool(statement)])

    def lay_out_one(self, one, password, monday):
        client, home = Client(self.http, one.user, password), f"/caldav.php/{one.user}/"
        client.make_calendar(f"{home}{CALENDAR}/", one.name)
        client.put(f"{home}{CALENDAR}/", one.resources(monday))
        if one.has_birthdays:
            client.make_calendar(f"{home}{BIRTHDAYS}/", "Birthdays")
            client.put(f"{home}{BIRTHDAYS}/", one.birthdays(monday))


def principal(one, password):
    """The statement that makes a user and the user's principal; who may do nothing by default."""
    kind = RESOURCE if one.is_room else PERSON
    return f"""WITH made AS (
        INSERT INTO usr (active, email_ok, updated, username, password, fullname, email)
        VALUES (true, current_date, current_date, '{one.user}', '**{password}', '{one.name}', '{one.address}')
        RETURNING user_no, fullname)
    INSERT INTO principal (type_id, user_no, displayname, default_privileges)
    SELECT {kind}, user_no, fullname, 0::bit(24) FROM made;"""


def grants(one):
    """The statements that let the technical account in; rooms are shared by the relation, which does not say itself."""
    if one.user == organisation.ACCOUNT or not one.is_shared:
        return ""
    owner = f"(SELECT principal_id FROM dav_principal WHERE username = '{one.user}')"
    statements = grant("by_principal", owner, RELATION if one.is_room else READ_WRITE)
    if one.has_birthdays:
        collection = f"(SELECT collection_id FROM collection WHERE dav_name = '/{one.user}/{BIRTHDAYS}/')"
        statements += grant("by_collection", collection, READ)
    return statements


def grant(column, what, privileges):
    account = f"(SELECT principal_id FROM dav_principal WHERE username = '{organisation.ACCOUNT}')"
    named = ", ".join(f"'{privilege}'" for privilege in privileges)
    return f"""INSERT INTO grants ({column}, to_principal, privileges, is_group)
        VALUES ({what}, {account}, privilege_to_bits(ARRAY[{named}]), false);"""
