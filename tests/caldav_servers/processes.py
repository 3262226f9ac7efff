"""Child processes of a server, each as its own user and gone when their parent is."""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class User:
    """Whom a server runs as: a user of the package where root starts it, else whoever does."""

    def __init__(self, name, group):
        self.name, self.group = (name, group) if os.getuid() == 0 else (None, None)

    def command(self, *words):
        if self.name is None:
            return ["setpriv", "--pdeathsig", "TERM", *words]
        whom = ["--reuid", self.name, "--regid", self.group, "--init-groups"]
        return ["setpriv", *whom, "--pdeathsig", "TERM", *words]

    def own(self, folder):
        """Gives a folder, with all that is in it, to the user."""
        if self.name is not None:
            user, group = pwd.getpwnam(self.name).pw_uid, grp.getgrnam(self.group).gr_gid
            for path, _, files in os.walk(folder):
                for name in [path, *(os.path.join(path, file) for file in files)]:
                    os.chown(name, user, group)

    def run(self, *words, **more):
        """Runs a command to its end; fails unless it ends well."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, **more)
        if done.returncode:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


class Processes:
    """What was started; all of it ends at the end of the block."""

    def __init__(self, log):
        self.log, self.running = log, []

    def __enter__(self):
        # A signal must lead to the end of the block.
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, lambda *_: sys.exit(0))
        return self

    def start(self, command, **more):
        with open(self.log, "ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        self.running.append(child)
        return child

    def until_open(self, port, seconds=30):
        """Waits until something listens on a port; fails when a process ends before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ended = [child for child in self.running if child.poll() is not None]
            if ended:
                raise RuntimeError(f"{ended[0].args} ended with {ended[0].returncode}: {self.said()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"nothing listens on port {port}: {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-4000:]

    def wait(self):
        """Waits for the first child that ends."""
        os.wait()

    def __exit__(self, *_):
        for child in reversed(self.running):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def program(*places):
    """The first of these programs that is there."""
    for place in places:
        found = shutil.which(place)
        if found:
            return found
    raise RuntimeError(f"{places[0]} is not installed; scripts/caldav-servers installs it")
