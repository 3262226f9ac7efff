"""Does the main job on an Exchange server with an independent client.

usage: exchange.py ENDPOINT USER PASSWORD ORGANISER GUEST ROOM

The client is told where the server is and nothing else. Creates a meeting with a guest and a room, reads it in all three
calendars, moves it, follows the changes, asks for busy times and rooms, and cancels it. Prints one JSON object with what
was seen.
"""

import json
import sys
from datetime import datetime, timedelta

from exchangelib import (
    BASIC,
    IMPERSONATION,
    Account,
    Attendee,
    CalendarItem,
    Configuration,
    Credentials,
    EWSTimeZone,
    Mailbox,
)
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY

BERLIN = EWSTimeZone("Europe/Berlin")
START = datetime(2026, 12, 1, 10, 0, tzinfo=BERLIN)
DAY = (datetime(2026, 12, 1, 0, 0, tzinfo=BERLIN), datetime(2026, 12, 2, 0, 0, tzinfo=BERLIN))


def main(endpoint, user, password, organiser, guest, room):
    credentials = Credentials(username=user, password=password)
    config = Configuration(service_endpoint=endpoint, credentials=credentials, auth_type=BASIC)
    account = lambda address: Account(
        primary_smtp_address=address,
        config=config,
        autodiscover=False,
        access_type=IMPERSONATION,
        default_timezone=BERLIN,
    )
    mine, theirs, rooms = account(organiser), account(guest), account(room)
    seen = lambda box: [
        {"subject": item.subject, "start": item.start.astimezone(BERLIN).isoformat()}
        for item in box.calendar.view(start=DAY[0], end=DAY[1]).order_by("start")
    ]
    followed = lambda: sorted(kind for kind, _ in mine.calendar.sync_items())

    first = followed()
    attendee = lambda address: Attendee(mailbox=Mailbox(email_address=address), response_type="Unknown")
    meeting = CalendarItem(
        account=mine,
        folder=mine.calendar,
        subject="Interview",
        body="Agenda",
        start=START,
        end=START + timedelta(hours=1),
        location="Upstairs",
        required_attendees=[attendee(guest)],
        resources=[attendee(room)],
    )
    meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    created = {"organiser": seen(mine), "guest": seen(theirs), "room": len(seen(rooms)), "changes": followed()}

    meeting.start, meeting.end = START + timedelta(hours=4), START + timedelta(hours=5)
    meeting.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    moved = {"organiser": seen(mine), "guest": seen(theirs), "changes": followed()}
    read = mine.calendar.get(id=meeting.id)
    answers = {one.mailbox.email_address: one.response_type for one in read.resources}

    busy = [
        [(event.start.astimezone(BERLIN).isoformat(), event.busy_type) for event in view.calendar_events or []]
        for view in mine.protocol.get_free_busy_info(
            accounts=[(organiser, "Required", False), (room, "Room", False)], start=DAY[0], end=DAY[1]
        )
    ]
    lists = list(mine.protocol.get_roomlists())
    listed = sorted(one.email_address for each in lists for one in mine.protocol.get_rooms(each.email_address))
    names = [one.email_address for one in mine.protocol.resolve_names([guest])]

    read.cancel()
    cancelled = {"organiser": seen(mine), "guest": seen(theirs), "changes": followed()}
    print(json.dumps({
        "first": first, "created": created, "moved": moved, "answers": answers, "busy": busy, "rooms": listed,
        "names": names, "body": read.body, "organizer": read.organizer.email_address, "cancelled": cancelled,
    }))


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main(*sys.argv[1:])
