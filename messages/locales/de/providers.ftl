# Was Konnektoren über Fehler von Kalendersystemen und Anmeldungen von Organisationen sagen.

## Jedes Kalendersystem

repair-the-signing-service = Bitten Sie den Betreiber dieser Installation, ihren Signaturdienst zu reparieren; die Verbindung geht dann von selbst weiter.
foreign-consent = Die gespeicherte Zustimmung gehört nicht zu diesem Kalendersystem. Verbinden Sie es neu.
no-own-consent = Benutzer dieses Kalendersystems können ihren eigenen Kalender nicht verbinden.
no-online-meetings = Dieses Kalendersystem hat keine eigenen Online-Besprechungen.
no-consent-pages = Dieses Kalendersystem hat keine Seiten für die Zustimmung.
stored-password-refused = Das Kalendersystem akzeptiert das gespeicherte Passwort nicht mehr.
something-else-responded = { $system } war nicht erreichbar: Stattdessen hat ein anderer Server oder Proxy geantwortet. Muster versucht es von selbst erneut.
response-not-understood = { $system } hat eine unverständliche Antwort gesendet.
response-too-large = { $system } hat eine zu große Antwort gesendet.
endless-list = { $system } hat eine endlose Liste gesendet.
malformed-address-or-id = Dies ist keine gültige Adresse oder Kennung.
secret-length = Das Geheimnis eines Kanals muss 1 bis { $most } Zeichen haben.
key-of-change-malformed = Der Idempotenzschlüssel dieser Änderung ist fehlerhaft.
appointment-removed-since = Dieser Termin wurde gelöscht, nachdem Muster ihn eingetragen hatte.
appointment-gone = Dieser Termin existiert nicht mehr.
appointment-changed-meanwhile = Jemand anders hat den Termin zur selben Zeit geändert.
mailbox-full = Dieses Postfach ist voll und nimmt keine neuen Einträge an.
mailbox-of-another-account = Diese Zustimmung stammt von einem Konto, dem dieses Postfach nicht gehört.
consent-no-longer-valid = Die Zustimmung fehlt oder gilt nicht mehr; wer sie erteilt hat, muss erneut zustimmen.
no-such-calendar = Dieses Postfach hat keinen solchen Kalender.
not-revocable = Diese Zustimmung kann nur im Kalendersystem selbst zurückgezogen werden.

## Das Netzwerk

address-names-no-host = Die Adresse { $host } darf nicht aufgerufen werden: Sie nennt keinen Host.
address-is-plain-http = Die Adresse { $host } darf nicht aufgerufen werden: Unverschlüsseltes http ist für sie nicht erlaubt.
address-is-not-https = Die Adresse { $host } darf nicht aufgerufen werden: Sie muss https verwenden.
address-is-private = Die Adresse { $host } darf nicht aufgerufen werden: Es ist eine private Adresse.
address-resolves-to-private = Die Adresse { $host } darf nicht aufgerufen werden: Sie verweist auf eine private Adresse.
host-unreachable = { $host } war nicht erreichbar.
host-broke-off = { $host } hat seine Antwort nicht beendet.
host-sent-too-much = { $host } hat eine Antwort von mehr als { $limit } Bytes gesendet.

## CalDAV-Server

caldav-changes-forgotten = Der Kalenderserver hat die Änderungen seit dem letzten Lesen nicht mehr.
caldav-calendar-not-readable = Das Dienstkonto darf diesen Kalender sehen, aber nicht lesen.
caldav-event-changed = Jemand anders hat den Termin geändert.
caldav-event-exists = Der Termin existiert bereits im Kalender.
caldav-event-refused = Der Kalenderserver hat den Termin abgelehnt.
caldav-principal-not-readable = Der Kalenderserver erlaubt dem Dienstkonto nicht, seinen eigenen Principal zu lesen. Bitten Sie den Administrator des Servers, diese Berechtigung zu erteilen.
caldav-no-service = Unter dieser Adresse gibt es keinen CalDAV-Dienst.
caldav-event-gone = Der Termin existiert nicht mehr.
caldav-blocked = Der Kalenderserver oder ein vorgeschalteter Proxy blockiert CalDAV-Anfragen.
caldav-slow-down = Der Kalenderserver begrenzt die Zahl der Anfragen von Muster. Muster macht von selbst weiter.
caldav-calendar-locked = Der Kalender ist im Augenblick gesperrt.
caldav-no-space = Der Kalenderserver hat keinen Platz mehr für den Termin.
caldav-temporary-problem = Der Kalenderserver ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
caldav-redirects = Der Kalenderserver leitet auf einen anderen Server weiter; verwenden Sie dessen Adresse.
caldav-request-refused = Der Kalenderserver hat die Anfrage abgelehnt.
caldav-login-refused = Der Kalenderserver akzeptiert den gespeicherten Benutzernamen und das Passwort nicht mehr.
caldav-no-access = Das Dienstkonto hat keinen Zugriff auf diesen Kalender.
caldav-no-mailbox = Der Kalenderserver hat kein solches Postfach.
caldav-not-spoken = Der Server antwortet nicht wie ein CalDAV-Server. Prüfen Sie seine Adresse.
caldav-response-unreadable = Der Kalenderserver hat eine Antwort gesendet, die nicht gelesen werden kann.
caldav-only-other-logins = Der Kalenderserver akzeptiert nur diese Anmeldeverfahren: { $schemes }. Schalten Sie auf dem Server die Basic- oder Digest-Authentifizierung für CalDAV ein und verbinden Sie dann neu.
caldav-not-the-owners = Das Dienstkonto hat keinen Zugriff auf einen Kalender, der zu diesem Postfach gehört. Geben Sie den Kalender für das Dienstkonto frei.
caldav-no-push = CalDAV-Server melden Änderungen nicht; Muster liest Kalender regelmäßig neu.
caldav-room-unreachable = Ein Raum dieses Termins ist für das Dienstkonto nicht erreichbar.
caldav-server-missing = Die Adresse des Kalenderservers fehlt.
caldav-no-such-event = Kein Termin in diesem Postfach hat diese Kennung.
caldav-event-cancelled = Jemand anders hat den Termin im Kalender abgesagt.
caldav-event-deleted = Der Termin wurde aus dem Kalender gelöscht.
caldav-occurrence-fixed = Einzelne Termine einer Serie können nicht geändert werden.
caldav-busy-times-missing = Der Kalenderserver kann die belegten Zeiten dieses Postfachs im Augenblick nicht nennen.
caldav-too-many-events = Dieser Kalender hat mehr Termine, als sein Server in einer Liste liefert.

## Exchange-Server

exchange-account-without-address = Geben Sie das Dienstkonto als E-Mail-Adresse ein, zum Beispiel dienst@example.com, damit Muster den Server finden kann.
exchange-autodiscover-elsewhere = Autodiscover leitet auf { $host } weiter, das nicht in der eigenen Domäne des Kontos liegt. Wenn das richtig ist, geben Sie die Adresse des Exchange-Servers ein.
exchange-autodiscover-failed = Autodiscover nennt keinen Exchange-Server für die Domäne des Kontos; geben Sie die Adresse des Servers ein.
exchange-position-foreign = Die gespeicherte Synchronisationsposition stammt nicht von einem Exchange-Server; Muster liest alles neu.
exchange-online = Dies ist Exchange Online: Verbinden Sie es als Microsoft 365. Microsoft schaltet die Exchange-Webdienste dort seit dem 1. Oktober 2026 ab und beendet sie am 1. April 2027.
exchange-temporary-problem = Der Exchange-Server ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
exchange-slow-down = Der Exchange-Server begrenzt die Zahl der Anfragen von Muster. Muster macht von selbst weiter.
exchange-impersonation-lost = Das Dienstkonto hat die Rolle ApplicationImpersonation verloren. Bitten Sie Ihren Exchange-Administrator, sie wieder zuzuweisen.
exchange-outside-impersonation = Das Dienstkonto darf auf dieses Postfach nicht zugreifen: Es liegt außerhalb des Bereichs seiner Impersonationsrolle.
exchange-account-disabled = Das Dienstkonto ist deaktiviert.
exchange-mailbox-disabled = Das Konto dieses Postfachs ist deaktiviert.
exchange-account-needs-mailbox = Das Dienstkonto braucht ein eigenes Postfach auf dem Exchange-Server.
exchange-account-denied = Der Exchange-Server hat dem Dienstkonto diese Anfrage verweigert.
exchange-position-forgotten = Der Exchange-Server akzeptiert die gespeicherte Synchronisationsposition nicht mehr. Muster liest den ganzen Kalender neu.
exchange-too-many-subscriptions = Der Exchange-Server nimmt für dieses Postfach keine weiteren Abonnements an.
exchange-too-old = Der Exchange-Server ist älter als Exchange 2013 SP1, die älteste Version, die verbunden werden kann.
exchange-request-refused = Der Exchange-Server nimmt diese Anfrage nicht an.
exchange-services-off-for-mailbox = Für dieses Postfach sind die Exchange-Webdienste abgeschaltet.
exchange-mailbox-elsewhere = Der Exchange-Server antwortet im Augenblick nicht für dieses Postfach. Muster versucht es von selbst erneut.
exchange-services-denied = Der Exchange-Server hat dem Dienstkonto den Zugriff auf seine Webdienste verweigert.
exchange-no-services = Unter dieser Adresse gibt es keine Exchange-Webdienste.
exchange-redirects = Der Exchange-Server leitet auf einen anderen Server weiter; verwenden Sie dessen Adresse.
exchange-unavailable = Der Exchange-Server ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
exchange-not-spoken = Der Server antwortet nicht wie ein Exchange-Server. Prüfen Sie seine Adresse.
exchange-no-password-login = Der Exchange-Server akzeptiert über HTTPS keinen Benutzernamen mit Passwort. Bitten Sie Ihren Exchange-Administrator, die Basic-Authentifizierung für seine Webdienste einzuschalten.
exchange-login-refused = Der Exchange-Server akzeptiert die gespeicherten Zugangsdaten des Dienstkontos nicht mehr.
exchange-no-mailbox = Der Exchange-Server hat kein Postfach mit dieser E-Mail-Adresse.
exchange-no-access = Das Dienstkonto hat keinen Zugriff auf diesen Kalender.
exchange-not-understood = Der Exchange-Server hat eine unverständliche Antwort gesendet.
exchange-domain-unknown = Das Verzeichnis verrät die Mail-Domäne des Kontos nicht; geben Sie den Benutzernamen als E-Mail-Adresse ein, zum Beispiel dienst@example.com.
exchange-no-push = Ein lokaler Server kann Muster keine Änderungen melden; Muster liest Kalender regelmäßig neu.
exchange-too-many-events = Dieser Kalender hat mehr gleichzeitige Termine, als der Exchange-Server nennt.
exchange-position-of-another-calendar = Die gespeicherte Synchronisationsposition gehört nicht zu diesem Kalender.

## Google

google-busy-times-missing = Google hat nicht mitgeteilt, wann dieser Kalender belegt ist.
google-position-unreadable = Die gespeicherte Synchronisationsposition ist unverständlich; Muster liest alles neu.
google-slow-down = Google begrenzt die Zahl der Anfragen von Muster. Muster macht von selbst weiter.
google-invitations-used-up = Dieses Konto hat so viele Einladungen gesendet, wie Google vorerst erlaubt. Muster macht später von selbst weiter.
google-quota-of-the-day = Diese Installation hat ihr Anfragekontingent bei Google für heute verbraucht. Bitten Sie ihren Betreiber, bei Google ein größeres Kontingent zu beantragen.
google-temporary-problem = Google ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
google-token-refused = Google akzeptiert das aktuelle Zugriffstoken nicht mehr.
google-access-lost = Google gewährt Muster keinen Zugriff mehr. Bitten Sie Ihren Google-Workspace-Administrator, Muster erneut zu autorisieren.
google-api-off = Die Calendar API oder die Admin SDK API ist im Google-Cloud-Projekt des Dienstkontos abgeschaltet; schalten Sie sie ein.
google-no-delegation = Das Dienstkonto kann niemanden einladen: Es hat keine domänenweite Delegierung.
google-push-address-refused = Google akzeptiert die Adresse für Änderungsmeldungen nicht.
google-calendar-out-of-scope = Muster darf auf diesen Kalender nicht zugreifen: Er liegt außerhalb des Bereichs, den die Organisation erlaubt hat.
google-no-calendar = Google hat keinen Kalender mit dieser E-Mail-Adresse, oder Muster hat keinen Zugriff darauf.
google-calendar-off = Google Kalender ist für dieses Konto abgeschaltet.
google-object-gone = Dieses Objekt existiert bei Google nicht mehr.
google-carried-out-once = Google hat diese Anfrage bereits einmal ausgeführt.
google-position-forgotten = Google akzeptiert die gespeicherte Synchronisationsposition nicht mehr. Muster liest den ganzen Kalender neu.
google-request-refused = Google nimmt diese Anfrage nicht an.
google-personal-consent-off = Die persönliche Zustimmung bei Google ist nicht eingerichtet. Bitten Sie den Betreiber dieser Installation, eine Anwendung bei Google zu registrieren.
google-consent-incomplete = Die Zustimmung enthält nicht alles, was Muster braucht. Stimmen Sie noch einmal zu und wählen Sie alle Kästchen aus.
google-organisation-unconfirmed = Google hat nicht bestätigt, dass dieses Konto zu einer Organisation gehört. Beginnen Sie von vorn, mit dem Konto Ihrer Organisation.
google-account-suspended = Dieses Konto ist bei Google gesperrt oder archiviert.
google-appointment-not-understood = Google hat einen Termin gesendet, der nicht gedeutet werden kann.
google-key-unreadable = Dies ist nicht die Schlüsseldatei eines Dienstkontos. Laden Sie sie bei Google als JSON herunter und fügen Sie den ganzen Inhalt ein.
google-signing-silent = Diese Installation signiert für Dienstkonten ohne deren Schlüssel, und ihr Signaturdienst antwortet im Augenblick nicht.
google-signing-denied = Diese Installation darf für dieses Dienstkonto nicht signieren, oder es gibt keines mit dieser Adresse. Bitten Sie den Inhaber des Dienstkontos, dieser Installation dafür die Rolle „Ersteller von Dienstkonto-Tokens“ zu geben.
google-signing-absent = Diese Installation ist nicht mehr dafür eingerichtet, für Dienstkonten ohne deren Schlüssel zu signieren.
google-sign-in-problem = Die Anmeldung bei Google ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
google-sign-in-refused = Die Anmeldung bei Google nimmt diese Anfrage nicht an.
google-channel-malformed = Dies ist nicht die Kennung eines Kanals von Google.
google-channel-fixed = Kanäle von Google können nicht verlängert werden; Muster öffnet einen neuen.
google-delegation-refused = Google erlaubt diesem Dienstkonto nicht oder noch nicht, für die Organisation zu handeln. Bitten Sie Ihren Google-Workspace-Administrator, seine Client-ID für die domänenweite Delegierung zu autorisieren.
google-scopes-missing = Die Organisation erlaubt diesem Dienstkonto weniger, als Muster braucht. Bitten Sie Ihren Google-Workspace-Administrator, die Bereiche seiner domänenweiten Delegierung zu vervollständigen.
google-blocked-by-policy = Eine Richtlinie Ihrer Organisation blockiert die Anwendung. Bitten Sie Ihren Administrator, sie zu erlauben.
google-key-refused = Google akzeptiert diesen Schlüssel nicht mehr: Er wurde gelöscht oder ersetzt. Geben Sie den neuen ein.
google-signature-refused = Google akzeptiert die Signatur von Muster nicht: Prüfen Sie die Uhr des Servers von Muster.
google-no-active-user = Google hat keinen aktiven Benutzer mit dieser Adresse.
google-no-address-of-a-user = Google akzeptiert dies nicht als Adresse eines Benutzers.
google-account-unknown = Dieses Dienstkonto oder diese Anwendung existiert bei Google nicht mehr, oder Google hat sie deaktiviert.
google-application-of-another = Diese Anwendung ist bei Google auf eine andere Organisation beschränkt.
google-key-needed = Google Workspace verlangt den Schlüssel eines Dienstkontos, kein Passwort.
google-not-understood = Google hat eine unverständliche Antwort gesendet.

## Microsoft

microsoft-sign-in-problem = Die Anmeldung bei Microsoft ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
microsoft-sign-in-refused = Die Anmeldung bei Microsoft nimmt diese Anfrage nicht an.
microsoft-approval-needed = Bitten Sie einen Administrator Ihrer Organisation, Muster zu genehmigen.
microsoft-muster-removed = Ihre Organisation hat Muster entfernt oder blockiert. Bitten Sie Ihren Microsoft-365-Administrator, Muster erneut zu genehmigen.
microsoft-account-blocked = Das Konto, das zugestimmt hat, kann sich nicht anmelden; stimmen Sie mit einem Konto zu, das es kann.
microsoft-another-step = Ihre Organisation verlangt einen weiteren Anmeldeschritt; melden Sie sich noch einmal an, um ihn abzuschließen.
microsoft-blocked-by-policy = Eine Sicherheitsrichtlinie Ihrer Organisation blockiert die Anmeldung. Bitten Sie Ihren Administrator, sie zu erlauben.
microsoft-credential-refused = Microsoft akzeptiert die eigenen Zugangsdaten von Muster nicht. Bitten Sie den Betreiber dieser Installation, das Geheimnis oder Zertifikat zu erneuern.
microsoft-registration-incomplete = Die Registrierung von Muster bei Microsoft ist unvollständig. Bitten Sie den Betreiber dieser Installation, sie zu berichtigen.
microsoft-organisation-unknown = Diese Organisation existiert bei Microsoft nicht.
microsoft-sign-in-used = Diese Anmeldung wurde schon benutzt oder ist zu alt. Beginnen Sie von vorn.
microsoft-consent-declined = Die Zustimmung wurde abgelehnt.
microsoft-certificate-unusable = Das eigene Zertifikat von Muster für Microsoft kann nicht verwendet werden. Bitten Sie den Betreiber dieser Installation, es zu ersetzen.
microsoft-response-missing = Microsoft 365 hat eine Antwort ausgelassen.
microsoft-slow-down = Microsoft 365 begrenzt die Zahl der Anfragen von Muster. Muster macht von selbst weiter.
microsoft-temporary-problem = Microsoft 365 ist vorübergehend nicht verfügbar. Muster versucht es von selbst erneut.
microsoft-token-refused = Microsoft 365 akzeptiert das aktuelle Zugriffstoken nicht mehr.
microsoft-access-lost = Microsoft 365 gewährt Muster keinen Zugriff mehr. Bitten Sie Ihren Microsoft-365-Administrator, Muster erneut zu genehmigen.
microsoft-mailbox-out-of-scope = Muster darf auf dieses Postfach nicht zugreifen: Es liegt außerhalb des Bereichs, den die Organisation erlaubt hat.
microsoft-no-mailbox = Microsoft 365 hat kein Postfach mit dieser E-Mail-Adresse.
microsoft-mailbox-not-served = Dieses Postfach ist nicht erreichbar: Es hat keine Lizenz, ist inaktiv oder liegt auf dem eigenen Server der Organisation.
microsoft-object-gone = Dieses Objekt existiert in Microsoft 365 nicht mehr.
microsoft-carried-out-once = Microsoft 365 hat diese Anfrage bereits einmal ausgeführt.
microsoft-position-forgotten = Microsoft 365 akzeptiert die gespeicherte Synchronisationsposition nicht mehr. Muster liest den ganzen Kalender neu.
microsoft-request-refused = Microsoft 365 nimmt diese Anfrage nicht an.
microsoft-no-organisation = Microsoft 365 nennt keine Organisation für diese Zustimmung. Bitten Sie Ihren Microsoft-365-Administrator, Muster erneut zu genehmigen.
microsoft-appointment-not-understood = Microsoft 365 hat einen Termin gesendet, der nicht gedeutet werden kann.
microsoft-sign-in-try-soon = Die Anmeldung bei Microsoft ist vorübergehend nicht verfügbar. Versuchen Sie es bald noch einmal.
microsoft-personal-account = Dies ist ein persönliches Microsoft-Konto; melden Sie sich mit einem Konto der Organisation an.
microsoft-sign-in-unverified = Die Anmeldung bei Microsoft konnte nicht überprüft werden. Beginnen Sie von vorn.
microsoft-not-understood = Microsoft hat eine unverständliche Antwort gesendet.
microsoft-text-holds-the-meeting = Die Beschreibung dieses Termins kann nicht geändert werden, ohne seine Online-Besprechung zu entfernen.
microsoft-token-needed = Microsoft 365 verlangt ein Zugriffstoken, kein Passwort.
microsoft-position-foreign = Die gespeicherte Synchronisationsposition gehört nicht zu Microsoft 365.
microsoft-busy-times-missing = Microsoft 365 hat nicht mitgeteilt, wann dieses Postfach belegt ist.

## OpenID-Aussteller

openid-another-issuer = Das Dokument unter dieser Adresse gehört zu einem anderen Aussteller. Geben Sie den Aussteller genau so ein, wie er in seinem Discovery-Dokument steht.
openid-no-chosen-algorithm = Der Aussteller unterstützt keinen der gewählten Algorithmen.
openid-no-pkce = Der Aussteller unterstützt PKCE mit S256 nicht.
openid-forbidden-endpoint = Das Discovery-Dokument des Ausstellers enthält eine Adresse, die nicht aufgerufen werden darf.
openid-redirects = Diese Adresse leitet weiter. Geben Sie die Adresse ein, unter der der Aussteller sein Discovery-Dokument veröffentlicht.
openid-no-issuer = Unter dieser Adresse gibt es keinen OpenID-Aussteller.
openid-malformed = Geben Sie eine https-Adresse ohne Benutzernamen, ? oder # ein, zum Beispiel https://login.example.com.
openid-unverified = Die Anmeldung konnte nicht überprüft werden ({ $code }). Beginnen Sie von vorn.
openid-silent = Die Anmeldung der Organisation antwortet im Augenblick nicht. Versuchen Sie es in einer Minute noch einmal.
