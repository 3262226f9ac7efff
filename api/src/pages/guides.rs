//! Guides for IT administrators, and the legal documents that they accept.

use actix_web::{HttpResponse, web};
use domain::ProviderKind;
use maud::{Markup, html};
use services::{Refusal, Services, connect::provider_label, providers::google::DELEGATED_SCOPES};

use super::layout;

pub(super) async fn guide_page(provider: web::Path<String>) -> HttpResponse {
    let word = provider.to_uppercase().replace('-', "_");
    let body = match ProviderKind::parse(&word) {
        Some(ProviderKind::Microsoft365) => microsoft(),
        Some(ProviderKind::GoogleWorkspace) => google(),
        Some(ProviderKind::CalDav) => caldav(),
        Some(ProviderKind::Exchange) => exchange(),
        _ => return layout::error_page(&Refusal::new("NOT_FOUND", "There is no such guide.").into()),
    };
    let title = ProviderKind::parse(&word).map_or("Guide", provider_label);
    layout::render_english_page(title, body)
}

fn microsoft() -> Markup {
    html! {
        h2 { "What you need" }
        ul {
            li { "An account with the role Global Administrator or Privileged Role Administrator." }
            li { "A licensed service mailbox, such as bookings@example.com, if you want bookings for people without a reachable mailbox." }
        }
        h2 { "What Muster asks for" }
        ul {
            li { code { "Calendars.ReadWrite" } ": read busy times, write, move and cancel appointments." }
            li { code { "User.Read.All" } " and " code { "Place.Read.All" } ": list people and rooms." }
            li { code { "MailboxSettings.Read" } ": time zones. Mail cannot be read." }
        }
        h2 { "Limiting the access to a group" }
        p { "Create a mail-enabled security group that holds the service mailbox and every room, then limit \
            the application to it with an application access policy or with RBAC for Applications. Choose \
            restricted access on the connect page. Mailboxes outside the group are shown as unreachable; \
            bookings for their owners go through the service mailbox. A change of the group can take up to \
            two hours to take effect." }
    }
}

fn exchange() -> Markup {
    html! {
        h2 { "What you need" }
        ul {
            li { "An Exchange server of your own: 2013 SP1, 2016, 2019 or Subscription Edition. Mailboxes in Exchange Online are connected as Microsoft 365: Microsoft has been switching off Exchange Web Services there since 1 October 2026 and ends them on 1 April 2027." }
            li { "Exchange Web Services reachable over HTTPS with a publicly trusted certificate, \
                and Basic authentication switched on for them. NTLM and Kerberos are not supported." }
            li { "A service account with a mailbox, whose password does not expire." }
        }
        h2 { "Allowing the account to act" }
        p { "The account acts in the mailboxes of its scope through the role ApplicationImpersonation. \
            Limit it to the people, rooms and the service mailbox concerned, in the Exchange Management Shell:" }
        pre { "New-ManagementScope -Name \"Calendars\" -RecipientRestrictionFilter \"MemberOfGroup -eq 'CN=Calendars,OU=Groups,DC=example,DC=com'\"\nNew-ManagementRoleAssignment -Name \"Calendars\" -Role ApplicationImpersonation -User service@example.com -CustomRecipientWriteScope \"Calendars\"\nSet-WebServicesVirtualDirectory -Identity \"SERVER\\EWS (Default Web Site)\" -BasicAuthentication $true" }
        p { "Mailboxes outside the scope are shown as unreachable; bookings for their owners go through the service mailbox." }
        h2 { "How Muster finds the server, rooms and people" }
        p { "The server is found by Autodiscover if you leave its address empty. Rooms are found by the \
            room lists of your organisation: a room that is in none of them cannot be found. People are \
            found by their addresses unless they are hidden from the address lists. Exchange Web Services \
            do not report the seats and equipment of rooms." }
        h2 { "Ending it" }
        p { "Remove the role assignment or change the account's password. Access ends immediately." }
    }
}

fn google() -> Markup {
    html! {
        h2 { "What you need" }
        ul {
            li { "A super administrator of Google Workspace, who authorises the service account." }
            li { "A project in Google Cloud with the Google Calendar API and the Admin SDK API switched on. Use a separate project and service account for this connection only." }
            li { "The email address of an administrator on whose behalf the service account reads the directory. A custom role that may read users, resources and the customer is sufficient." }
            li { "A licensed account, such as bookings@example.com, if you want bookings for people without a reachable calendar." }
        }
        h2 { "Steps" }
        ol {
            li { "In Google Cloud, under IAM, Service accounts: create a service account without any role. Under Keys: add a key of the type JSON and keep the file." }
            li { "In Google's admin console, under Security, Access and data control, API controls, Domain-wide delegation: add the service account's numeric client id with the scopes below." }
            li { "On the connect page: choose Google Workspace, enter the administrator's address and paste the whole file." }
        }
        h2 { "Without a key" }
        p { "If your organisation allows no keys and the connect page offers it: ask the operator of this \
            installation which identity it uses, give that identity the role Service Account Token Creator \
            on the service account, and enter the service account's address in place of the key. You sign \
            in at Google as the administrator, once, so that nobody else can name your service account." }
        h2 { "What Muster asks for" }
        pre { @for scope in DELEGATED_SCOPES { (scope) "\n" } }
        p { "Muster reads, writes, moves and cancels events, and reads busy times, people, rooms and the organisation's name. It cannot read mail or files. If a scope is missing, Google denies all requests that need it." }
        h2 { "How long it takes" }
        p { "Google takes up to a day, usually minutes, to apply a delegation everywhere. The connection \
            waits until then." }
        h2 { "Ending it" }
        p { "Remove the client id from domain-wide delegation, delete the key, or remove the role. Each of these changes takes effect within an hour, usually immediately." }
    }
}

fn caldav() -> Markup {
    html! {
        h2 { "What you need" }
        ul {
            li { "The URL of the server, which must be reachable over HTTPS." }
            li { "A service account that may read and write the calendars of all people and rooms." }
        }
        h2 { "How Muster recognises rooms" }
        p { "A collection is a room if its name begins with " code { "room-" } ", its display name begins with “Room”, or its description says " code { "CUTYPE=ROOM" } "." }
        h2 { "What a CalDAV server does not do" }
        p { "Plain CalDAV servers send no invitations, and rooms do not respond. Muster writes an appointment to \
            the organiser's calendar and to the calendars of the booked rooms; the server does not notify guests." }
    }
}

pub(super) async fn terms_page(services: web::Data<Services>) -> HttpResponse {
    let body = html! {
        p.dim { "Version " (services.settings.terms_version) }
        p { "By connecting, you confirm that you are authorised to allow this service, on behalf of your organisation, to read and write its calendars for the sole purpose of making appointments. You can end the connection at any time, here or in your calendar system, with immediate effect." }
    };
    layout::render_english_page("Terms of service", body)
}

pub(super) async fn privacy_page(services: web::Data<Services>) -> HttpResponse {
    let body = html! {
        p.dim { "Version " (services.settings.privacy_version) }
        p { "This service stores the names and email addresses of the connected users and rooms, the times and titles of their appointments within the coming weeks, and the credentials of the connection, encrypted with a key that is specific to your organisation. It does not read mail. All stored data is deleted when the connection is removed." }
    };
    layout::render_english_page("Privacy policy", body)
}
