"""Drives the imitation of Google with Google's own client: nothing but the base URL is another.

usage: google_client.py BASE KEY_FILE ADMINISTRATOR ORGANISER GUEST ROOM

Lists the directory, writes an event with a guest and a room, reads it back, asks for busy times, follows changes,
watches, and takes everything away again. Prints one JSON object of what was seen.
"""

import json
import sys

from google.auth.transport.requests import Request
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

DIRECTORY = [
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.customer.readonly",
    "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly",
]
CALENDAR = [
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.events.freebusy",
]


def acting_as(key, subject, scopes):
    credentials = service_account.Credentials.from_service_account_file(key, scopes=scopes, subject=subject)
    credentials.refresh(Request())
    return credentials


def service(name, version, base, credentials):
    return build(
        name,
        version,
        credentials=credentials,
        client_options={"api_endpoint": base},
        static_discovery=True,
        cache_discovery=False,
    )


def refused(call):
    try:
        call.execute()
    except HttpError as error:
        return [error.status_code, error.error_details[0]["reason"]]
    return None


def pages(resource, request):
    while request is not None:
        page = request.execute()
        yield page
        request = resource.list_next(request, page)


def directory(base, key, administrator):
    admin = service("admin", "directory_v1", base, acting_as(key, administrator, DIRECTORY))
    listed = admin.users().list(customer="my_customer", maxResults=2, orderBy="email", projection="basic")
    rooms = admin.resources().calendars().list(customer="my_customer")
    return {
        "customer": admin.customers().get(customerKey="my_customer").execute()["customerDomain"],
        "users": [user["primaryEmail"] for page in pages(admin.users(), listed) for user in page["users"]],
        "rooms": [room["resourceEmail"] for room in rooms.execute()["items"]],
    }


def calendar(base, key, organiser, guest, room):
    events = (calendar := service("calendar", "v3", base, acting_as(key, organiser, CALENDAR))).events()
    body = {
        "id": "officialclient0001",
        "summary": "Interview",
        "start": {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/Berlin"},
        "attendees": [{"email": guest}, {"email": room, "resource": True}],
        "extendedProperties": {"private": {"ours": "1"}},
    }
    first = list(pages(events, events.list(calendarId=organiser, singleEvents=True)))
    made = events.insert(calendarId=organiser, body=body, sendUpdates="all").execute()
    again = refused(events.insert(calendarId=organiser, body=body, sendUpdates="all"))
    stale = events.patch(calendarId=organiser, eventId=made["id"], body={"summary": "Late"})
    stale.headers["If-Match"] = '"stale"'
    window = {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z"}
    asked = {**window, "items": [{"id": organiser}, {"id": "nobody@nowhere.test"}]}
    busy = calendar.freebusy().query(body=asked).execute()["calendars"]
    changes = events.list(calendarId=organiser, singleEvents=True, syncToken=first[-1]["nextSyncToken"]).execute()
    found = events.list(calendarId=organiser, privateExtendedProperty="ours=1").execute()
    seen = {
        "uid": made["iCalUID"],
        "organizer": made["organizer"]["email"],
        "again": again,
        "stale": refused(stale),
        "busy": busy[organiser]["busy"],
        "unknown": busy["nobody@nowhere.test"]["errors"][0]["reason"],
        "changed": [event["id"] for event in changes["items"]],
        "found": [event["id"] for event in found["items"]],
        "too_long": refused(
            calendar.freebusy().query(body={**asked, "timeMax": "2027-12-01T00:00:00Z"})
        ),
    }
    moved = {"start": {"dateTime": "2026-12-01T13:00:00Z"}, "end": {"dateTime": "2026-12-01T14:00:00Z"}}
    patch = events.patch(calendarId=organiser, eventId=made["id"], body=moved, sendUpdates="all")
    seen["moved"] = patch.execute()["start"]["dateTime"]
    channel = {"id": "official-1", "type": "web_hook", "address": "https://hooks.test/google", "token": "secret"}
    opened = events.watch(calendarId=organiser, body=channel).execute()
    stop = {"id": opened["id"], "resourceId": opened["resourceId"]}
    calendar.channels().stop(body=stop).execute()
    seen["stopped_twice"] = refused(calendar.channels().stop(body=stop))
    events.delete(calendarId=organiser, eventId=made["id"], sendUpdates="all").execute()
    seen["deleted_twice"] = refused(events.delete(calendarId=organiser, eventId=made["id"]))
    seen["status"] = events.get(calendarId=organiser, eventId=made["id"]).execute()["status"]
    gone = events.list(calendarId=organiser, singleEvents=True, syncToken=changes["nextSyncToken"]).execute()
    seen["gone"] = [[event["id"], event["status"]] for event in gone["items"]]
    return seen


def main():
    base, key, administrator, organiser, guest, room = sys.argv[1:]
    seen = directory(base, key, administrator)
    seen["event"] = calendar(f"{base}calendar/v3/", key, organiser, guest, room)
    print(json.dumps(seen))


main()
