"""Cyrus IMAP's CalDAV server, with its accounts in a database of its own and its calendars in a private spool.

What is peculiar to it: the home of every principal is answered with the home of whoever asks; a calendar that was
shared stands there under its owner's name once it was subscribed to, and `DAV:owner` tells whose it is; nobody is a
room (`calendar-user-type` is INDIVIDUAL for everybody); a search with an empty match is refused.
"""

import imaplib
import secrets
import shlex
from pathlib import Path

import organisation
from client import Client
from processes import Processes, User, free_port, program

BIN = "/usr/lib/cyrus/bin"
ADMINISTRATOR = "cyrus"
BIRTHDAYS = "Birthdays"
ALL = "lrswipkxtecdan789"
READ = "lr9"

IMAPD = """configdirectory: {data}/conf
proc_path: {data}/proc
mboxname_lockpath: {data}/lock
defaultpartition: default
partition-default: {data}/spool
sievedir: {data}/sieve
lmtpsocket: {data}/socket/lmtp
idlesocket: {data}/socket/idle
notifysocket: {data}/socket/notify
master_pid_file: {data}/master.pid
servername: localhost
admins: {administrator}
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
httpmodules: caldav
calendar_user_address_set: {domain}
allowplaintext: {plaintext}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {data}/accounts
sasl_mech_list: {mechanisms}
"""
MASTER = """START {{
  recover cmd="{bin}/ctl_cyrusdb -C {data}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {data}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0
  http cmd="{bin}/httpd -C {data}/imapd.conf" listen="127.0.0.1:{http}" prefork=2
  digest cmd="{bin}/httpd -C {data}/digest.conf" listen="127.0.0.1:{digest}" prefork=0
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {data}/imapd.conf -c" period=30
}}
"""


class Cyrus:
    """A server in the making."""

    user_of = staticmethod(lambda local: local)

    def __init__(self, data: Path):
        self.data = data
        self.user = User("cyrus", "mail")
        self.http, self.digest, self.imap = free_port(), free_port(), free_port()
        self.passwords = {}

    def start(self, processes: Processes, everybody, monday):
        """Starts the server and lays out the organisation; answers what a caller needs to know of it."""
        self.configure()
        for user in [ADMINISTRATOR, *(one.user for one in everybody)]:
            self.passwords[user] = secrets.token_urlsafe(12)
            self.user.run(*self.set_password(user), input=self.passwords[user])
        master, config = program(f"{BIN}/master"), f"{self.data}/imapd.conf"
        processes.start(self.user.command(
            master, "-C", config, "-M", f"{self.data}/cyrus.conf", "-p", f"{self.data}/master.pid", "-D"))
        processes.until_open(self.http)
        self.lay_out(everybody, monday)
        password = self.passwords[organisation.ACCOUNT]
        return {
            "url": f"http://127.0.0.1:{self.http}/",
            # The same accounts and calendars for those who speak Digest authentication.
            "digest": f"http://127.0.0.1:{self.digest}/",
            "user": organisation.ACCOUNT,
            "password": password,
            "revoke": self.change_password(secrets.token_urlsafe(12)),
            "restore": self.change_password(password),
        }

    def configure(self):
        for folder in ("conf", "spool", "proc", "lock", "sieve", "socket"):
            (self.data / folder).mkdir()
        values = {"data": self.data, "bin": BIN, "imap": self.imap, "http": self.http, "digest": self.digest}
        values |= {"administrator": ADMINISTRATOR, "domain": organisation.fixture.DOMAIN}
        plain = values | {"plaintext": "yes", "mechanisms": "PLAIN"}
        digest = values | {"plaintext": "no", "mechanisms": "DIGEST-MD5"}
        (self.data / "imapd.conf").write_text(IMAPD.format(**plain))
        (self.data / "digest.conf").write_text(IMAPD.format(**digest))
        (self.data / "cyrus.conf").write_text(MASTER.format(**values))
        self.user.own(self.data)

    def set_password(self, user):
        """The command that reads a user's password from standard input."""
        tool = program("saslpasswd2", "/usr/sbin/saslpasswd2")
        return [tool, "-p", "-c", "-f", f"{self.data}/accounts", "-u", "localhost", user]

    def change_password(self, password):
        """A line for a shell that changes the technical account's password."""
        command = self.user.command(*self.set_password(organisation.ACCOUNT))
        return f"printf %s {shlex.quote(password)} | {shlex.join(command)}"

    def connection(self, user):
        imap = imaplib.IMAP4("127.0.0.1", self.imap)
        imap.login(user, self.passwords[user])
        return imap

    def client(self, user):
        return Client(self.http, user, self.passwords[user])

    def closed(self, everybody):
        """The calendar that nobody but its owner may touch: its owner's connection and its path."""
        owner = next(one.user for one in everybody if not one.is_shared)
        return self.client(owner), f"/dav/calendars/user/{owner}/Default/"

    def lay_out(self, everybody, monday):
        administrator = self.connection(ADMINISTRATOR)
        account = None
        for one in everybody:
            sure(administrator.create(f"user/{one.user}"))
            self.lay_out_one(one, monday)
            if one.user == organisation.ACCOUNT:
                account = self.connection(one.user)
            else:
                share(administrator, account, one)
        account.logout()
        administrator.logout()

    def lay_out_one(self, one, monday):
        client, home = self.client(one.user), f"/dav/calendars/user/{one.user}/"
        # The first look at a home makes the default calendar.
        client.send("PROPFIND", home, Depth="1")
        href = f"<D:href>mailto:{one.address}</D:href>"
        client.set(
            f"/dav/principals/user/{one.user}/",
            f"<D:displayname>{one.name}</D:displayname>"
            f"<C:calendar-user-address-set>{href}</C:calendar-user-address-set>")
        client.put(f"{home}Default/", one.resources(monday))
        if one.has_birthdays:
            client.make_calendar(f"{home}{BIRTHDAYS}/", "Birthdays")
            client.put(f"{home}{BIRTHDAYS}/", one.birthdays(monday))


def share(administrator, account, one):
    """Lets the technical account see that somebody is there, and read and write the calendar unless it is closed."""
    home = f"user/{one.user}/#calendars"
    sure(administrator.setacl(home, organisation.ACCOUNT, "lr"))
    # By default everybody may ask for everybody's busy times.
    sure(administrator.deleteacl(f"{home}/Default", "anyone"))
    rights = {"Default": ALL, BIRTHDAYS: READ} if one.has_birthdays else {"Default": ALL}
    for calendar, letters in rights.items() if one.is_shared else ():
        sure(administrator.setacl(f"{home}/{calendar}", organisation.ACCOUNT, letters))
        sure(account.subscribe(f'"Other Users/{one.user}/#calendars/{calendar}"'))


def sure(answer):
    if answer[0] != "OK":
        raise RuntimeError(f"Cyrus refuses: {answer}")
