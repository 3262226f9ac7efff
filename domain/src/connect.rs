//! Enums for connect sessions, which connect a calendar system in a browser, and for stored secrets.

use crate::words;

words! {
    /// What a browser's connect session connects.
    ConnectPurpose {
        /// Connecting an integration.
        Connect = "CONNECT",
        /// A user's own consent that has not started yet; its secret is part of a URL.
        Own = "OWN",
        /// A user's own consent that is in progress in a browser.
        OwnOpen = "OWN_OPEN",
    }
}

words! {
    /// How far a connect session has progressed.
    ConnectStep {
        /// Nothing was entered yet.
        Open = "OPEN",
        /// The user has to enter credentials.
        Credentials = "CREDENTIALS",
        /// The administrator has signed in and is reviewing the access that Muster will request from the organisation.
        Asking = "ASKING",
        /// The browser was sent to the provider.
        AtProvider = "PROVIDER",
        /// The consent is stored and available to the run.
        HandedOver = "PROGRESS",
        /// The consent of the session is in force, but the administrator has not authorised its use yet.
        Granted = "GRANTED",
        /// The administrator has authorised or declined.
        Answered = "ANSWERED",
    }
}

words! {
    /// What kind of credential a stored secret contains.
    SecretKind {
        /// The operator's own application, admitted to a Microsoft tenant.
        MicrosoftApp = "MICROSOFT_APP",
        /// A user's refresh token at Microsoft.
        MicrosoftUser = "MICROSOFT_USER",
        /// A user name and a password.
        Basic = "BASIC",
        /// A user's refresh token at Google.
        GoogleUser = "GOOGLE_USER",
        /// The key of a Google service account.
        ServiceAccount = "SERVICE_ACCOUNT",
        /// The email address of a Google service account; the operator's signing service signs on its behalf.
        Keyless = "KEYLESS",
    }
}

words! {
    /// A secret of the installation itself.
    InstallationSecret {
        /// The key for computing keyed digests.
        Digest = "digest",
    }
}

words! {
    /// The tables whose rows are found by a key before the tenant of the request is known.
    LookupKind {
        /// An invitation, found by the digest of its token.
        ConnectLink = "connect_link",
        /// A browser session, found by the digest of its cookie.
        ConnectSession = "connect_session",
        /// A notification channel, found by the name that provider notifications contain: its external id up to the
        /// first vertical bar.
        Channel = "channel",
    }
}
