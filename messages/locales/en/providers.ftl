# What connectors say about the failures of calendar systems and of organisations' sign-ins.

## Any calendar system

repair-the-signing-service = Ask the operator of this installation to repair its signing service; the connection then continues automatically.
foreign-consent = The stored consent does not belong to this calendar system. Connect it again.
no-own-consent = Users of this calendar system cannot connect their own calendars.
no-online-meetings = This calendar system has no online meetings of its own.
no-consent-pages = This calendar system has no consent pages.
not-revocable = This consent can be withdrawn at the calendar system only.
stored-password-refused = The calendar system no longer accepts the stored password.
something-else-responded = { $system } could not be reached: a different server or proxy responded instead. Muster will try again automatically.
response-not-understood = { $system } sent a response that cannot be understood.
response-too-large = { $system } sent a response that is too large.
endless-list = { $system } returned an endless list.
malformed-address-or-id = This is not a valid address or id.
secret-length = The secret of a channel must have 1 to { $most } characters.
key-of-change-malformed = The idempotency key of this change is malformed.
appointment-removed-since = This appointment has been removed since Muster wrote it.
appointment-gone = This appointment no longer exists.
appointment-changed-meanwhile = Another user changed the appointment at the same time.
mailbox-full = This mailbox is full and accepts no new items.
mailbox-of-another-account = This consent was given by an account that does not own this mailbox.
consent-no-longer-valid = The consent is missing or no longer valid; the person who gave it must consent again.
no-such-calendar = This mailbox has no such calendar.

## The network

address-names-no-host = The address { $host } may not be called: it names no host.
address-is-plain-http = The address { $host } may not be called: plain http is not allowed for it.
address-is-not-https = The address { $host } may not be called: it must use https.
address-is-private = The address { $host } may not be called: it is a private address.
address-resolves-to-private = The address { $host } may not be called: it resolves to a private address.
host-unreachable = { $host } could not be reached.
host-broke-off = { $host } did not finish its response.
host-sent-too-much = { $host } sent a response of more than { $limit } bytes.

## CalDAV servers

caldav-changes-forgotten = The calendar server no longer has the changes since the last read.
caldav-calendar-not-readable = The service account may see this calendar but not read it.
caldav-event-changed = The event was changed by another user.
caldav-event-exists = The event already exists in the calendar.
caldav-event-refused = The calendar server refused the event.
caldav-principal-not-readable = The calendar server does not allow the service account to read its own principal. Ask the server's administrator to grant this permission.
caldav-no-service = There is no CalDAV service at this URL.
caldav-event-gone = The event no longer exists.
caldav-blocked = The calendar server, or a proxy in front of it, blocks CalDAV requests.
caldav-slow-down = The calendar server limits the rate of Muster's requests. Muster will continue automatically.
caldav-calendar-locked = The calendar is locked at the moment.
caldav-no-space = The calendar server has no space left for the event.
caldav-temporary-problem = The calendar server is temporarily unavailable. Muster will try again automatically.
caldav-redirects = The calendar server redirects to another server; use that server's URL.
caldav-request-refused = The calendar server refused the request.
caldav-login-refused = The calendar server no longer accepts the stored user name and password.
caldav-no-access = The service account has no access to this calendar.
caldav-no-mailbox = The calendar server has no such mailbox.
caldav-not-spoken = The server does not respond like a CalDAV server. Check its address.
caldav-response-unreadable = The calendar server sent a response that cannot be read.
caldav-only-other-logins = The calendar server accepts only these ways to sign in: { $schemes }. Switch on Basic or Digest authentication for CalDAV on the server; then connect again.
caldav-not-the-owners = The service account has no access to any calendar that belongs to this mailbox. Share the calendar with the service account.
caldav-no-push = CalDAV servers do not push changes; Muster reads calendars again regularly.
caldav-room-unreachable = A room of this event cannot be reached by the service account.
caldav-server-missing = The URL of the calendar server is missing.
caldav-no-such-event = No event in this mailbox has this id.
caldav-event-cancelled = The event was cancelled in the calendar by another user.
caldav-event-deleted = The event was deleted from the calendar.
caldav-occurrence-fixed = Single occurrences of a series cannot be changed.
caldav-busy-times-missing = The calendar server cannot report this mailbox's busy times at the moment.
caldav-too-many-events = This calendar has more events than its server returns in a listing.

## Exchange servers

exchange-account-without-address = Enter the service account as an email address, such as service@example.com, so that Muster can find the server.
exchange-autodiscover-elsewhere = Autodiscover redirects to { $host }, which is not in the account's own domain. If that is right, enter the address of the Exchange server.
exchange-autodiscover-failed = Autodiscover does not name an Exchange server for the account's domain; enter the address of the server.
exchange-position-foreign = The stored sync position did not come from an Exchange server; Muster reads everything again.
exchange-online = This is Exchange Online: connect it as Microsoft 365. Microsoft has been switching off Exchange Web Services there since 1 October 2026 and ends them on 1 April 2027.
exchange-temporary-problem = The Exchange server is temporarily unavailable. Muster will try again automatically.
exchange-slow-down = The Exchange server limits the rate of Muster's requests. Muster will continue automatically.
exchange-impersonation-lost = The service account has lost the role ApplicationImpersonation. Ask your Exchange administrator to assign it again.
exchange-outside-impersonation = The service account may not access this mailbox: it is outside the scope of its impersonation role.
exchange-account-disabled = The service account is disabled.
exchange-mailbox-disabled = The account of this mailbox is disabled.
exchange-account-needs-mailbox = The service account needs a mailbox of its own on the Exchange server.
exchange-account-denied = The Exchange server denied the service account this request.
exchange-position-forgotten = The Exchange server no longer accepts the stored sync position. Muster will read the whole calendar again.
exchange-too-many-subscriptions = The Exchange server accepts no more subscriptions for this mailbox.
exchange-too-old = The Exchange server is older than Exchange 2013 SP1, which is the oldest that can be connected.
exchange-request-refused = The Exchange server does not accept this request.
exchange-services-off-for-mailbox = Exchange Web Services are switched off for this mailbox.
exchange-mailbox-elsewhere = The Exchange server does not respond for this mailbox at the moment. Muster will try again automatically.
exchange-services-denied = The Exchange server denied the service account access to its web services.
exchange-no-services = There are no Exchange Web Services at this URL.
exchange-redirects = The Exchange server redirects to another server; use that server's URL.
exchange-unavailable = The Exchange server is temporarily unavailable. Muster will try again automatically.
exchange-not-spoken = The server does not respond like an Exchange server. Check its address.
exchange-no-password-login = The Exchange server accepts no user name and password over HTTPS. Ask your Exchange administrator to switch on Basic authentication for its web services.
exchange-login-refused = The Exchange server no longer accepts the stored login of the service account.
exchange-no-mailbox = The Exchange server has no mailbox with this email address.
exchange-no-access = The service account has no access to this calendar.
exchange-not-understood = The Exchange server sent a response that cannot be understood.
exchange-domain-unknown = The directory does not reveal the account's mail domain; enter the user name as an email address, such as service@example.com.
exchange-no-push = An on-premises server cannot push changes to Muster; Muster reads calendars again regularly.
exchange-too-many-events = This calendar has more simultaneous appointments than the Exchange server reports.
exchange-position-of-another-calendar = The stored sync position does not belong to this calendar.

## Google

google-busy-times-missing = Google did not report when this calendar is busy.
google-position-unreadable = The stored sync position cannot be understood; Muster reads everything again.
google-slow-down = Google limits the rate of Muster's requests. Muster will continue automatically.
google-invitations-used-up = This account has sent as many invitations as Google allows for now. Muster will continue automatically later.
google-quota-of-the-day = This installation has used up its Google request quota for today. Ask its operator to request a larger quota from Google.
google-temporary-problem = Google is temporarily unavailable. Muster will try again automatically.
google-token-refused = Google no longer accepts the current access token.
google-access-lost = Google no longer grants Muster access. Ask your Google Workspace administrator to authorise Muster again.
google-api-off = The Calendar API or the Admin SDK API is switched off in the service account's Google Cloud project; switch it on.
google-no-delegation = The service account cannot invite anybody: it has no domain-wide delegation.
google-push-address-refused = Google does not accept the address for change notifications.
google-calendar-out-of-scope = Muster may not access this calendar: it is outside the scope that the organisation allowed.
google-no-calendar = Google has no calendar with this email address, or Muster has no access to it.
google-calendar-off = Google Calendar is switched off for this account.
google-object-gone = This object no longer exists at Google.
google-carried-out-once = Google has already carried out this request once.
google-position-forgotten = Google no longer accepts the stored sync position. Muster will read the whole calendar again.
google-request-refused = Google does not accept this request.
google-personal-consent-off = Personal consent at Google is not set up. Ask the operator of this installation to register an application at Google.
google-consent-incomplete = The consent does not include everything that Muster needs. Consent again and tick every box.
google-organisation-unconfirmed = Google did not confirm that this account belongs to an organisation. Start again with your organisation's account.
google-account-suspended = This account is suspended or archived at Google.
google-appointment-not-understood = Google sent an appointment that cannot be interpreted.
google-key-unreadable = This is not the key file of a service account. Download it from Google as JSON and paste all of it.
google-signing-silent = This installation signs for service accounts without their keys, and its signing service does not respond at the moment.
google-signing-denied = This installation may not sign for this service account, or there is none with this address. Ask the owner of the service account to grant this installation the role Service Account Token Creator on it.
google-signing-absent = This installation is no longer set up to sign for service accounts without their keys.
google-sign-in-problem = Google's sign-in is temporarily unavailable. Muster will try again automatically.
google-sign-in-refused = Google's sign-in does not accept this request.
google-channel-malformed = This is not the id of one of Google's channels.
google-channel-fixed = Google's channels cannot be extended; Muster opens a new one.
google-delegation-refused = Google does not allow this service account to act for the organisation, or does not allow it yet. Ask your Google Workspace administrator to authorise its client id for domain-wide delegation.
google-scopes-missing = The organisation allows this service account less than Muster needs. Ask your Google Workspace administrator to complete the scopes of its domain-wide delegation.
google-blocked-by-policy = A policy of your organisation blocks the application. Ask your administrator to allow it.
google-key-refused = Google no longer accepts this key: it was deleted or replaced. Enter the new one.
google-signature-refused = Google does not accept Muster's signature: check the clock of Muster's server.
google-no-active-user = Google has no active user with this address.
google-no-address-of-a-user = Google does not accept this as the address of a user.
google-account-unknown = This service account or application no longer exists at Google, or Google has disabled it.
google-application-of-another = This application is limited to another organisation at Google.
google-key-needed = Google Workspace requires a service account's key, not a password.
google-not-understood = Google sent a response that cannot be understood.

## Microsoft

microsoft-sign-in-problem = Microsoft's sign-in is temporarily unavailable. Muster will try again automatically.
microsoft-sign-in-refused = Microsoft's sign-in does not accept this request.
microsoft-approval-needed = Ask an administrator of your organisation to approve Muster.
microsoft-muster-removed = Your organisation removed or blocked Muster. Ask your Microsoft 365 administrator to approve Muster again.
microsoft-account-blocked = The account that consented cannot sign in; consent again with an account that can.
microsoft-another-step = Your organisation requires another sign-in step; sign in again to complete it.
microsoft-blocked-by-policy = A security policy of your organisation blocks the sign-in. Ask your administrator to allow it.
microsoft-credential-refused = Microsoft does not accept Muster's own credential. Ask the operator of this installation to renew the secret or certificate.
microsoft-registration-incomplete = Muster's registration at Microsoft is incomplete. Ask the operator of this installation to correct it.
microsoft-organisation-unknown = This organisation does not exist at Microsoft.
microsoft-sign-in-used = This sign-in has already been used or is too old. Start again.
microsoft-consent-declined = The consent was declined.
microsoft-certificate-unusable = Muster's own certificate for Microsoft cannot be used. Ask the operator of this installation to replace it.
microsoft-response-missing = Microsoft 365 left out a response.
microsoft-slow-down = Microsoft 365 limits the rate of Muster's requests. Muster will continue automatically.
microsoft-temporary-problem = Microsoft 365 is temporarily unavailable. Muster will try again automatically.
microsoft-token-refused = Microsoft 365 no longer accepts the current access token.
microsoft-access-lost = Microsoft 365 no longer grants Muster access. Ask your Microsoft 365 administrator to approve Muster again.
microsoft-mailbox-out-of-scope = Muster may not access this mailbox: it is outside the scope that the organisation allowed.
microsoft-no-mailbox = Microsoft 365 has no mailbox with this email address.
microsoft-mailbox-not-served = This mailbox cannot be reached: it has no licence, is inactive, or is on the organisation's own server.
microsoft-object-gone = This object no longer exists in Microsoft 365.
microsoft-carried-out-once = Microsoft 365 has already carried out this request once.
microsoft-position-forgotten = Microsoft 365 no longer accepts the stored sync position. Muster will read the whole calendar again.
microsoft-request-refused = Microsoft 365 does not accept this request.
microsoft-no-organisation = Microsoft 365 reports no organisation for this consent. Ask your Microsoft 365 administrator to approve Muster again.
microsoft-appointment-not-understood = Microsoft 365 sent an appointment that cannot be interpreted.
microsoft-sign-in-try-soon = Microsoft's sign-in is temporarily unavailable. Try again soon.
microsoft-personal-account = This is a personal Microsoft account; sign in with an account of the organisation.
microsoft-sign-in-unverified = The sign-in at Microsoft could not be verified. Start again.
microsoft-not-understood = Microsoft sent a response that cannot be understood.
microsoft-text-holds-the-meeting = The description of this appointment cannot be changed without removing its online meeting.
microsoft-token-needed = Microsoft 365 requires an access token, not a password.
microsoft-position-foreign = The stored sync position does not belong to Microsoft 365.
microsoft-busy-times-missing = Microsoft 365 did not report when this mailbox is busy.

## OpenID issuers

openid-another-issuer = The document at this URL belongs to another issuer. Enter the issuer exactly as it appears in its discovery document.
openid-no-chosen-algorithm = The issuer supports none of the chosen algorithms.
openid-no-pkce = The issuer does not support PKCE with S256.
openid-forbidden-endpoint = The issuer's discovery document contains an address that may not be called.
openid-redirects = This URL redirects. Enter the URL at which the issuer publishes its discovery document.
openid-no-issuer = There is no OpenID issuer at this URL.
openid-malformed = Enter an https URL without a user name, ? or #; for example, https://login.example.com.
openid-unverified = The sign-in could not be verified ({ $code }). Start again.
openid-silent = The organisation's sign-in does not respond at the moment. Try again in a minute.
