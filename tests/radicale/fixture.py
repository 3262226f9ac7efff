"""The organisation that the CalDAV tests and the demo connect to, as Radicale stores it.

Twenty people whom the service account may reach, one who is listed but out of its reach, three rooms, and the
service account itself. Everybody has events of every kind over three weeks from a Monday on; the same Monday gives
the same files.
"""

import json
from datetime import date, datetime, timedelta

DOMAIN = "corp.test"
SERVICE = "svc"
OUTSIDER = f"olga.outside@{DOMAIN}"
PEOPLE = [
    "Ada Lovelace", "Bo Lindqvist", "Carla Moreno", "Deniz Kaya", "Emil Novak", "Farah Aziz", "Gustav Holm",
    "Hana Sato", "Ines Costa", "Jonas Weber", "Kira Petrova", "Luca Bianchi", "Mira Jovanović", "Nils Berg",
    "Oona Virtanen", "Pavel Dvořák", "Quentin Roux", "Rosa Delgado", "Sven Maurer", "Tessa van Dijk",
]
ROOMS = [
    ("atlas", "Atlas", "CUTYPE=ROOM;CAPACITY=4;BUILDING=Main;FLOOR=1;EQUIPMENT=Screen"),
    ("borealis", "Borealis", "CUTYPE=ROOM;CAPACITY=8;BUILDING=Main;FLOOR=2;EQUIPMENT=Screen,Whiteboard"),
    ("cosmos", "Cosmos", "CUTYPE=ROOM;CAPACITY=16;BUILDING=Annex;FLOOR=0;EQUIPMENT=Screen,Camera,Phone"),
]
ZONE = "Europe/Berlin"
VTIMEZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE"""
TOPICS = ["Planning", "Review", "Interview", "Budget", "Roadmap", "Retrospective", "Customer call", "Training"]
RIGHTS = f"""# The first section that matches counts.
[svc-root]
user: {SERVICE}
collection:
permissions: R
[svc-principals]
user: {SERVICE}
collection: [^/]+
permissions: R
[svc-outsider]
user: {SERVICE}
collection: {OUTSIDER.replace(".", "[.]")}/[^/]+
permissions:
[svc-calendars]
user: {SERVICE}
collection: [^/]+/[^/]+
permissions: rw
[owner-root]
user: .+
collection:
permissions: R
[owner-principal]
user: .+
collection: {{user}}
permissions: RW
[owner-calendars]
user: .+
collection: {{user}}/[^/]+
permissions: rw
"""


def local_part(name):
    plain = name.lower().replace("ć", "c").replace("ř", "r").replace("á", "a")
    return plain.replace("van ", "van-").replace(" ", ".", 1)


def principals():
    """Every principal with its display name and description."""
    yield SERVICE, "Calendar service", ""
    for name in PEOPLE:
        yield f"{local_part(name)}@{DOMAIN}", name, ""
    yield OUTSIDER, "Olga Outside", ""
    for local, name, description in ROOMS:
        yield f"room-{local}@{DOMAIN}", name, description


def local(at):
    return at.strftime("%Y%m%dT%H%M%S")


def resource(uid, parts):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Corp//Fixture//EN", *VTIMEZONE.split("\n")]
    for part in parts:
        lines += ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *part, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def timed(start, minutes, summary, *more):
    end = start + timedelta(minutes=minutes)
    return [f"DTSTART;TZID={ZONE}:{local(start)}", f"DTEND;TZID={ZONE}:{local(end)}", f"SUMMARY:{summary}", *more]


def series(monday, index):
    """A weekly series: the second occurrence was moved by three hours, the third cancelled."""
    day = monday + timedelta(days=index % 5)
    at = datetime(day.year, day.month, day.day, 9, 0)
    second, third = at + timedelta(weeks=1), at + timedelta(weeks=2)
    master = timed(at, 30, "Team meeting", "RRULE:FREQ=WEEKLY;COUNT=6")
    moved = [f"RECURRENCE-ID;TZID={ZONE}:{local(second)}", *timed(second + timedelta(hours=3), 30, "Team meeting")]
    gone = [f"RECURRENCE-ID;TZID={ZONE}:{local(third)}", *timed(third, 30, "Team meeting", "STATUS:CANCELLED")]
    return [master, moved, gone]


def events(principal, monday, index):
    """The resources of one calendar: name and text."""
    if principal == SERVICE:
        return
    key = principal.split("@")[0]
    if not principal.startswith("room-"):
        yield f"{key}-series", series(monday, index)
        day = monday + timedelta(days=(index * 3) % 19)
        first, last = day.strftime("%Y%m%d"), (day + timedelta(days=1)).strftime("%Y%m%d")
        whole = [f"DTSTART;VALUE=DATE:{first}", f"DTEND;VALUE=DATE:{last}"]
        kind = ["SUMMARY:Day off", "TRANSP:OPAQUE"] if index % 4 == 0 else ["SUMMARY:Birthday", "TRANSP:TRANSPARENT"]
        yield f"{key}-day", [[*whole, *kind]]
    for number in range(9):
        day = monday + timedelta(days=(number // 3) * 7 + (index + number * 2) % 5)
        hour = 10 + (index + number * 3) % 7
        start = datetime(day.year, day.month, day.day, hour, 30 * (number % 2))
        more = ["STATUS:TENTATIVE"] if number % 4 == 3 else ["CLASS:PRIVATE"] if number % 5 == 4 else []
        yield f"{key}-{number}", [timed(start, 30 + 30 * (number % 3), TOPICS[(index + number) % len(TOPICS)], *more)]


def lay_out(root, monday: date):
    """Writes the collections below `root`."""
    for index, (principal, name, description) in enumerate(principals()):
        home = root / "collection-root" / principal
        calendar = home / "calendar"
        calendar.mkdir(parents=True)
        props = {"D:displayname": name}
        if description:
            props["C:calendar-description"] = description
        (home / ".Radicale.props").write_text(json.dumps(props), encoding="utf-8")
        props |= {
            "tag": "VCALENDAR",
            "C:supported-calendar-component-set": "VEVENT,VTODO",
            "C:calendar-timezone": "\r\n".join(["BEGIN:VCALENDAR", *VTIMEZONE.split("\n"), "END:VCALENDAR", ""]),
        }
        (calendar / ".Radicale.props").write_text(json.dumps(props), encoding="utf-8")
        for uid, parts in events(principal, monday, index):
            (calendar / f"{uid}.ics").write_bytes(resource(uid, parts).encode("utf-8"))
