# What the calendar system in memory says, by which tests replace a real one.

memory-changes-forgotten = The calendar system no longer has the changes since the last read.
memory-no-mailbox = The calendar system has no mailbox with this email address.
memory-no-page = The list has no such page.
memory-read-only = The calendar may only be read.
memory-event-gone = The event no longer exists.
memory-connection-broke = The connection to the calendar system broke.
memory-no-push = This calendar system does not push changes.
memory-channel-gone = The channel no longer exists.
