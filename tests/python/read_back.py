"""Reads one event back with an independent CalDAV client.

usage: read_back.py URL USER PASSWORD PRINCIPAL UID

Prints one JSON object: uid, summary, start, end (UTC, ISO 8601), description, location, organizer, attendees
(address, name, role, kind, answer). Prints null when no calendar of the principal holds the event.
"""

import json
import sys
from datetime import date, datetime, timezone
from urllib.parse import quote, urljoin

import caldav


def utc(value):
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else None
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def address(value):
    text = str(value)
    return text[7:] if text.lower().startswith("mailto:") else text


def attendees(event):
    found = event.get("attendee", [])
    for one in found if isinstance(found, list) else [found]:
        yield {
            "address": address(one),
            "name": one.params.get("CN", ""),
            "role": one.params.get("ROLE", ""),
            "kind": one.params.get("CUTYPE", "INDIVIDUAL"),
            "answer": one.params.get("PARTSTAT", ""),
        }


def find(client, home, uid):
    principal = client.principal(url=home)
    for calendar in principal.calendars():
        for found in calendar.events():
            event = found.icalendar_component
            if str(event.get("uid")) == uid:
                return event
    return None


def main(url, user, password, principal, uid):
    home = urljoin(url, quote(principal) + "/")
    with caldav.DAVClient(url=url, username=user, password=password) as client:
        event = find(client, home, uid)
    if event is None:
        print("null")
        return
    text = lambda name: str(event[name]) if name in event else None
    print(json.dumps({
        "uid": text("uid"),
        "summary": text("summary"),
        "start": utc(event["dtstart"].dt),
        "end": utc(event["dtend"].dt) if "dtend" in event else None,
        "description": text("description"),
        "location": text("location"),
        "organizer": address(event["organizer"]) if "organizer" in event else None,
        "attendees": sorted(attendees(event), key=lambda one: one["address"]),
    }))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
