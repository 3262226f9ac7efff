# What the steps of workflows say about integrations, mailboxes and bookings.

## Connecting a calendar system

consent-pending = The administrator has not granted access at the provider yet.
finish-the-consent = Finish the consent at the provider.
consent-is-tried = Muster is trying the access that was granted.
correct-or-try-again = Correct what you entered, or try again when the calendar system can be reached: open the link from the invitation again.
connect-failed = The connection failed.
start-the-connection-again = Start the connection again.
consent-unreadable = The consent cannot be read.
consent-missing = The consent is missing.
another-organisation-granted = The account that signed in belongs to a different organisation than the one that granted access.
another-organisation-before = This is a different organisation from the one that was connected before.
authorisation-pending = The provider granted access. Nothing is read or written yet.
authorise-the-access = Authorise Muster to use the access that was granted.
permission-spreading = The provider has not applied the new permission everywhere yet.
credentials-refused = The calendar system does not accept these credentials.
verification-failed = The verification failed.
integration-removed = The integration has been removed.
consent-declined = The administrator did not grant access.
connect-expired = The connection was not completed in time.
disconnection-stopped = The disconnection was stopped before it was complete.
disconnect-again = Disconnect the calendar system again, or connect it again.

## Mailboxes

mailbox-removed = The mailbox no longer exists in Muster.
read-only = This calendar can be read, but appointments cannot be written to it.
grant-writing = Grant the permission to write to this calendar.
try-the-activation-again = Try the activation again.
calendar-system-too-slow = The calendar system takes too long.
calendar-too-slow = Reading this calendar takes too long.

## Bookings

meeting-is-over = The meeting was over before it could be written to a calendar.
no-writable-calendar = Neither the organiser's calendar nor a service mailbox can be written to.
activate-a-calendar = Activate the organiser's calendar, or give the integration a service mailbox.
connect-again-then-book = Connect the calendar system again, then book again.
book-a-later-time = Book again, at a later time.
booking-not-written = The booking could not be written.
booking-removed = The booking no longer exists.
no-calendar-chosen = No calendar has been chosen for this booking.
slot-taken = The new time is no longer blocked for this booking. Move the booking again.
booking-over = The booking was not written, or is over.
cancel-again = Cancel the booking again, once the calendar can be reached.
event-gone = Somebody has removed the event from the calendar.
cancel-or-book-again = Cancel this booking, or book again.
room-declined = { $room } has declined the booking.
move-or-book-another-room = Move the booking to another time, or book another room.
room-silent = A room has not responded yet.
ask-the-rooms-approver = Ask the person who approves bookings of the room.

## Servers

update-all-servers = Ask the operator to update all servers to the newer version.
