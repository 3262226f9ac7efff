"""Prints when calendars are busy, as python-recurring-ical-events reads them.

Each line of the input is {"text": ..., "zone": ..., "from": ..., "until": ...}, instants in seconds. Each line of the output
is a list of [start, end], or null for what the library refuses.
"""

import datetime
import json
import sys
import zoneinfo

import icalendar
import recurring_ical_events


def seconds(at, zone):
    if not isinstance(at, datetime.datetime):
        at = datetime.datetime.combine(at, datetime.time.min)
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return int(at.timestamp())


def occurrences(job):
    zone = zoneinfo.ZoneInfo(job["zone"])
    calendar = icalendar.Calendar.from_ical(job["text"])
    # A day more on both sides: what has no zone is placed by the library before its zone is known.
    day = 24 * 3600
    begin, end = (datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at in (job["from"] - day, job["until"] + day))
    found = set()
    for event in recurring_ical_events.of(calendar).between(begin, end):
        found.add((seconds(event.start, zone), seconds(event.end, zone)))
    return sorted(one for one in found if one[0] < job["until"] and one[1] > job["from"] and one[0] < one[1])


for line in sys.stdin:
    try:
        print(json.dumps(occurrences(json.loads(line))))
    except Exception:
        print("null")
