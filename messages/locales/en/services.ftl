# What use cases say: reasons, checks of a verification, and those refusals that become the reason of a run.

## Failures of use cases

sign-in-first = Sign in: this request contains no valid API key or access token.
permission-needed = You may not do this: it needs the permission { $permission }.
tenant-missing = Specify the tenant in the Muster-Tenant header.
not-found = There is no such { $what }.
overloaded = The server is overloaded. Try again shortly.
database-failed = The database is unavailable or reported an error.
queue-failed = The queue is unavailable or reported an error.
word-unknown = A newer version of Muster stored the word "{ $word }", which this version does not support. Try again when all servers run the newer version.
master-key-unknown = A stored value, { $what }, is sealed with the master key { $key }, which is neither master_key nor among former_master_keys.
stored-value-unreadable = A stored value, { $what }, cannot be read.
user-of-list = users[{ $index }]: { $cause }

## Calendar systems and their consents

provider-not-available = This installation is not set up for this calendar system.
no-sign-in-by-issuers = This installation is not set up for sign-in by OpenID issuers.
consent-gone = The calendar system is no longer connected: its consent no longer exists.
password-refused = The calendar system no longer accepts the stored password.
stored-consent-unreadable = The stored consent could not be read.
own-limit = The calendar system does not accept more requests at the moment.
organisations-server-silent = Your organisation's server did not respond in time.
too-many-events = This calendar has more events than Muster can read.

## Connecting

organisation-taken = Another integration already connects this organisation.
not-an-administrator = Only an administrator of the organisation can connect it. Sign in as one.
another-organisation-consented = The account that signed in belongs to a different organisation than the one that consented.
state-invalid = This redirect does not belong to this step or was already used. Start again.
consent-declined-at-provider = The administrator did not grant access at the provider.
sign-in-incomplete = The sign-in is incomplete. Start again.
consent-declined-here = The administrator did not grant access.
another-organisation-meanwhile = Somebody else has connected another organisation with this link in the meantime.
grant-access-first = Grant the access first: open the link from your invitation again.
sign-in-as-owner = Sign in with the account of your own calendar, { $address }.
sign-in-as-administrator = Sign in as the administrator that you entered, { $entered }.
consent-not-lasting = The consent does not grant permanent access. Start again.
accept-the-terms-first = Accept the terms of service and the privacy policy first.
link-for-another-system = This link is for another calendar system.
access-level-is-kept = Reconnecting keeps the access level. To change it, remove the integration and connect the calendar system again.
service-mailbox-is-kept = Reconnecting keeps the service mailbox. Leave the field empty, and change the mailbox afterwards in the calendar settings.
system-not-offered = Your organisation cannot connect { $system } here. Choose one of the calendar systems offered.
choose-a-system = Name at least one calendar system, or null for all that this installation offers.
choose-own-system-first = Choose the calendar system that holds your calendar.
integration-is-personal = This integration holds only the calendars that people connected themselves. It has no directory, no rooms and no service account.
another-organisations-account = This account belongs to another organisation than the calendars that are connected already. Sign in with your account at that organisation, or ask an administrator to disconnect the other calendars.
own-consent-needed = Only the owner can connect this calendar. Ask the owner to connect it again.
invite-an-administrator = A key has no browser in which to connect. Invite an administrator, or call this as a user.
service-mailbox-not-yours = You may not choose the service mailbox. Leave the field empty, and ask an administrator to set it.
terms-pending = Nobody has opened the pages on which this calendar system is connected.
open-a-connect-link = Create a connect link for yourself and open it, or invite an administrator to do so.
already-connected = This calendar system is already connected. No further action is required.
calendar-address-missing = This user has no calendar address. Enter it first.
no-personal-consent = Your organisation has not connected a calendar system that supports personal consent. Ask an administrator to connect one.
keyless-not-offered = This installation cannot use a service account without its key. Paste the key.
administrators-address-needed = Enter the email address of an administrator of your organisation.
service-accounts-address-needed = Enter the email address of a service account; it ends with .gserviceaccount.com.
no-credentials-at-this-step = Credentials are not required at this step. Open the link from your invitation again.
user-and-password-needed = Enter the user name and the password.
no-address-of-a-server = This is not a valid server URL.
https-address-needed = Enter a URL that begins with https:// and contains no user name, password, ? or #.
session-over = This page has expired. Open the link from your invitation again.
page-of-another-session = This page belongs to a different connection from the one begun last in this browser. Nothing was done. Open the link from your invitation again.

## Integrations and mailboxes

integration-suspended = This integration is suspended, because your plan does not include it or your vendor disabled it. No data is lost.
ask-the-vendor-to-resume = Ask your vendor to enable the connection through a service account again.
mailboxes-lost = Some mailboxes that were active can no longer be reached.
check-unreachable-mailboxes = Check the mailboxes that are unreachable.
add-the-mailbox-to-the-scope = Add the mailbox to the agreed scope, or let bookings go through the service account.
ask-the-owner-to-connect-again = Ask the mailbox's owner to connect the calendar again.
ask-why-the-mailbox-is-refused = Ask the administrator of the calendar system why it refuses this mailbox. Muster will try again automatically.
connect-again-as-administrator = Connect the calendar system again, as an administrator.
not-the-users = This mailbox no longer belongs to a user.
excluded = An administrator has excluded this mailbox.
mailbox-disconnected = This mailbox was disconnected: its calendar is neither read nor written.
activate-to-connect-again = Activate the mailbox to connect it again.
integration-disconnecting = This calendar system is being disconnected.
integration-disconnected = This calendar system was disconnected: its copies and credentials are deleted. Appointments that were booked stay in the calendars.
withdraw-consent-at-provider = Ask your { $system } administrator to remove the application, which withdraws its consent.
withdraw-delegation-at-google = Ask your Google Workspace administrator to remove the domain-wide delegation in the Admin console.
change-the-password = Change the password of the service account, or delete the account.

## Bookings whose events were changed in the calendar

event-deleted = Somebody has deleted the event from the calendar.
restore-or-cancel = Write the event again, or cancel the booking.
moved-to-taken-time = Somebody has moved the event in the calendar to a time at which not everybody is free: { $names }.
move-accept-or-cancel = Move the booking to another time, accept this time, or cancel the booking.

## Calendars in searches and bookings

calendar-not-connected = This calendar is not connected.
connect-the-calendar = Connect the calendar.
calendar-unreadable = The calendar cannot be read at present.
calendar-not-read-yet = The calendar has not been read yet.
calendar-read-too-long-ago = The calendar was last read too long ago.
calendar-read-in-part = The calendar has been read only from { $start } to { $end }.
unreadable-items = Unreadable items in this calendar: { $count }.
ask-the-owner-to-correct-items = Ask the calendar's owner to correct or delete these items.
calendar-unknown = { $name }: { $cause }
calendar-not-read-for-that-time = { $name }: This calendar has not been read for that time.
outside-working-hours = The time is outside the working hours in { $zone }.
outside-search-window = The time is outside the search window.
no-room-matches = No room matches the search.
busy-from-to = { $name } is busy from { $start } to { $end }.
tentative-from-to = { $name } is tentatively busy from { $start } to { $end }.
busy-then = { $name } is busy at that time.
tentative-then = { $name } is tentatively busy at that time.
cannot-tell-whether-free = Muster cannot tell whether { $name } is free: { $cause }

## Checks of a verification

earlier-check-failed = An earlier check failed.
evidence-of-failure = { $message } ({ $code })
system-responds = The calendar system responds.
system-grants-access = The calendar system grants Muster access.
system-belongs-to = The calendar system belongs to { $name }.
connect-with-the-first-organisation = Connect with an account of the organisation that was connected first.
check-that-the-system-is-reachable = Check that the calendar system can be reached from the internet.
people-listed =
    { $count ->
        [one] One person is listed.
       *[other] { $count } people are listed.
    }
people-listed-or-more = { $count } or more people are listed.
grant-listing-people = Grant the permission to list the people of the organisation.
grant-listing-rooms = Grant the permission to list the rooms of the organisation.
no-rooms-listed = No rooms are listed.
room-readable = The room can be read.
add-the-room-to-the-scope = Add the room to the agreed scope, or exclude it.
no-service-mailbox = No service mailbox has been set.
add-a-service-mailbox = Add a service mailbox, so that bookings are possible for people whose mailbox cannot be reached.
check-the-address-and-scope = Check the address, and that the mailbox lies within the agreed scope.
mailbox-not-found = The mailbox was not found.
mailbox-exists = The mailbox of { $name } exists.
two-events-written = Two events at the same time were written and removed again.
allow-overlapping-events = Allow writing to this mailbox, and overlapping events in it.
written-event-missing = An event that Muster wrote is missing: the mailbox does not keep overlapping events.
unreadable-items-of-mailbox = Unreadable items: { $count }. Of these, { $unknown } block no time because their times are unknown.
more-mailboxes-with-unreadable-items =
    { $count ->
        [one] One more mailbox contains unreadable items.
       *[other] { $count } more mailboxes contain unreadable items.
    }
ask-the-owner-to-correct-listed-items = Ask the mailbox's owner to correct or delete these items. They are listed in the connection's `unreadable` field.
