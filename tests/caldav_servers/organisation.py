"""The organisation of `tests/radicale`, as a server with principals, homes and permissions of its own holds it.

User names differ from mail addresses where the server lets them. Beside the people whom the technical account may
read and write there is one whom it only sees listed, one who has a second, generated calendar that sorts in front of
the real one, and rooms.
"""

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "radicale"))

import fixture  # noqa: E402

PEOPLE = 8
ACCOUNT = "svc"
ADDRESS = f"calendar-service@{fixture.DOMAIN}"


@dataclass(frozen=True)
class Member:
    """A person, a room or the technical account."""

    user: str
    """The user name, which the principal's path is made of."""
    address: str
    """The mail address that the server publishes."""
    name: str
    is_room: bool = False
    is_shared: bool = True
    """Whether the technical account may read and write the calendar."""
    has_birthdays: bool = False
    """Whether there is a generated calendar beside the real one; the technical account may only read it."""
    index: int = 0

    def resources(self, monday):
        """The names and iCalendar texts of what the calendar holds."""
        if self.user == ACCOUNT:
            return []
        named = fixture.events(self.address, monday, self.index)
        return [(f"{uid}.ics", fixture.resource(uid, parts)) for uid, parts in named]

    def birthdays(self, monday):
        """The same for the generated calendar: whole days that take no time."""
        for number in range(3):
            first, last = (monday + timedelta(days=number * 5 + more) for more in (0, 1))
            parts = [
                f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{last:%Y%m%d}",
                "SUMMARY:Birthday", "TRANSP:TRANSPARENT",
            ]
            yield f"birthday-{number}.ics", fixture.resource(f"birthday-{number}", [parts])


def members(user_of):
    """Everybody; `user_of` makes the user name out of the part of an address before the `@`."""
    yield Member(ACCOUNT, ADDRESS, "Calendar service")
    for index, name in enumerate(fixture.PEOPLE[:PEOPLE]):
        local = fixture.local_part(name)
        yield Member(
            user_of(local), f"{local}@{fixture.DOMAIN}", name, has_birthdays=index == 0, index=index)
    local = fixture.OUTSIDER.split("@")[0]
    yield Member(user_of(local), fixture.OUTSIDER, "Olga Outside", is_shared=False, index=PEOPLE)
    for index, (room, name, _) in enumerate(fixture.ROOMS):
        local = f"room-{room}"
        yield Member(local, f"{local}@{fixture.DOMAIN}", name, is_room=True, index=PEOPLE + 1 + index)


def this_monday(day: date):
    """The first day of a date's week: the events begin there."""
    return day - timedelta(days=day.weekday())
