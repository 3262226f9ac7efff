//! Enums about connecting a calendar system and about stored secrets.

use crate::words;

words! {
    /// What a browser's connect session is for.
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
    /// Progress of a connect session.
    ConnectStep {
        /// Nothing was entered yet.
        Open = "OPEN",
        /// Waits for credentials to be entered.
        Credentials = "CREDENTIALS",
        /// The administrator has signed in and is shown what the organisation will be asked for.
        Asking = "ASKING",
        /// The browser was sent to the provider.
        AtProvider = "PROVIDER",
        /// A consent is stored for the run.
        HandedOver = "PROGRESS",
        /// The session's consent is in force, and its use is still to be authorised.
        Granted = "GRANTED",
        /// The administrator has authorised or declined.
        Answered = "ANSWERED",
    }
}

words! {
    /// What the secret of a consent consists of.
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
        /// The address of a Google service account for which the operator's signing service signs.
        Keyless = "KEYLESS",
    }
}

words! {
    /// A secret of the installation itself.
    InstallationSecret {
        /// The key with which digests are computed.
        Digest = "digest",
    }
}

words! {
    /// The tables whose rows are found by a key before their tenant is known.
    LookupKind {
        /// An invitation, by the digest of its token.
        ConnectLink = "connect_link",
        /// A browser's session, by the digest of its cookie.
        ConnectSession = "connect_session",
        /// A channel, by the name that notifications use: its external id up to the first bar.
        Channel = "channel",
    }
}
