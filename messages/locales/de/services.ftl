# Was Anwendungsfälle sagen: Begründungen, Prüfungen und die Ablehnungen, die zur Begründung eines Ablaufs werden.

## Fehler von Anwendungsfällen

sign-in-first = Melden Sie sich an: Diese Anfrage enthält keinen gültigen API-Schlüssel und kein gültiges Zugriffstoken.
permission-needed = Das dürfen Sie nicht: Es erfordert die Berechtigung { $permission }.
tenant-missing = Nennen Sie den Mandanten im Header Muster-Tenant.
not-found = { $what } gibt es nicht.
overloaded = Der Server ist überlastet. Versuchen Sie es in Kürze noch einmal.
database-failed = Die Datenbank ist nicht erreichbar oder hat einen Fehler gemeldet.
queue-failed = Die Warteschlange ist nicht erreichbar oder hat einen Fehler gemeldet.
word-unknown = Eine neuere Version von Muster hat das Wort „{ $word }“ gespeichert, das diese Version nicht unterstützt. Versuchen Sie es noch einmal, wenn auf allen Servern die neuere Version läuft.
master-key-unknown = Ein gespeicherter Wert, { $what }, ist mit dem Hauptschlüssel { $key } versiegelt, der weder master_key noch unter former_master_keys steht.
stored-value-unreadable = Ein gespeicherter Wert, { $what }, kann nicht gelesen werden.
user-of-list = users[{ $index }]: { $cause }

## Kalendersysteme und ihre Zustimmungen

provider-not-available = Diese Installation ist für dieses Kalendersystem nicht eingerichtet.
no-sign-in-by-issuers = Diese Installation ist für die Anmeldung über OpenID-Aussteller nicht eingerichtet.
consent-gone = Das Kalendersystem ist nicht mehr verbunden: Seine Zustimmung existiert nicht mehr.
password-refused = Das Kalendersystem akzeptiert das gespeicherte Passwort nicht mehr.
stored-consent-unreadable = Die gespeicherte Zustimmung konnte nicht gelesen werden.
own-limit = Das Kalendersystem nimmt im Augenblick keine weiteren Anfragen an.
organisations-server-silent = Der Server Ihrer Organisation hat nicht rechtzeitig geantwortet.
too-many-events = Dieser Kalender hat mehr Termine, als Muster lesen kann.

## Verbinden

organisation-taken = Eine andere Integration verbindet diese Organisation bereits.
not-an-administrator = Nur ein Administrator der Organisation kann sie verbinden. Melden Sie sich als solcher an.
another-organisation-consented = Das angemeldete Konto gehört zu einer anderen Organisation als der, die zugestimmt hat.
state-invalid = Diese Weiterleitung gehört nicht zu diesem Schritt oder wurde schon benutzt. Beginnen Sie von vorn.
consent-declined-at-provider = Der Administrator hat beim Anbieter keinen Zugriff gewährt.
sign-in-incomplete = Die Anmeldung ist unvollständig. Beginnen Sie von vorn.
consent-declined-here = Der Administrator hat keinen Zugriff gewährt.
another-organisation-meanwhile = Jemand anders hat inzwischen mit diesem Link eine andere Organisation verbunden.
grant-access-first = Gewähren Sie zuerst den Zugriff: Öffnen Sie noch einmal den Link aus Ihrer Einladung.
sign-in-as-owner = Melden Sie sich mit dem Konto Ihres eigenen Kalenders an: { $address }.
sign-in-as-administrator = Melden Sie sich als der Administrator an, den Sie eingegeben haben: { $entered }.
consent-not-lasting = Die Zustimmung gewährt keinen dauerhaften Zugriff. Beginnen Sie von vorn.
accept-the-terms-first = Stimmen Sie zuerst den Nutzungsbedingungen und der Datenschutzerklärung zu.
link-for-another-system = Dieser Link ist für ein anderes Kalendersystem.
access-level-is-kept = Beim erneuten Verbinden bleibt die Zugriffsstufe, wie sie ist. Um sie zu ändern, entfernen Sie die Anbindung und verbinden Sie das Kalendersystem neu.
service-mailbox-is-kept = Beim erneuten Verbinden bleibt das Dienstpostfach, wie es ist. Lassen Sie das Feld leer und ändern Sie das Postfach danach in den Kalendereinstellungen.
system-not-offered = Ihre Organisation kann { $system } hier nicht verbinden. Wählen Sie eines der angebotenen Kalendersysteme.
choose-a-system = Nennen Sie mindestens ein Kalendersystem, oder null für alle, die diese Installation anbietet.
choose-own-system-first = Wählen Sie das Kalendersystem, in dem Ihr Kalender liegt.
integration-is-personal = Diese Integration enthält nur Kalender, die Personen selbst verbunden haben. Sie hat kein Verzeichnis, keine Räume und kein Dienstkonto.
another-organisations-account = Dieses Konto gehört zu einer anderen Organisation als die Kalender, die bereits verbunden sind. Melden Sie sich mit Ihrem Konto bei dieser Organisation an, oder bitten Sie einen Administrator, die anderen Kalender zu trennen.
own-consent-needed = Nur der Besitzer kann diesen Kalender verbinden. Bitten Sie ihn, ihn erneut zu verbinden.
invite-an-administrator = Ein Schlüssel hat keinen Browser, in dem er verbinden könnte. Laden Sie einen Administrator ein, oder rufen Sie dies als Benutzer auf.
service-mailbox-not-yours = Sie dürfen das Dienstpostfach nicht wählen. Lassen Sie das Feld leer und bitten Sie einen Administrator, es festzulegen.
terms-pending = Noch hat niemand die Seiten geöffnet, auf denen dieses Kalendersystem verbunden wird.
open-a-connect-link = Erstellen Sie sich einen Verbindungslink und öffnen Sie ihn, oder laden Sie einen Administrator dazu ein.
already-connected = Dieses Kalendersystem ist bereits verbunden. Es ist nichts weiter zu tun.
calendar-address-missing = Dieser Benutzer hat keine Kalenderadresse. Tragen Sie zuerst eine ein.
no-personal-consent = Ihre Organisation hat kein Kalendersystem verbunden, das persönliche Zustimmungen unterstützt. Bitten Sie einen Administrator, eines zu verbinden.
keyless-not-offered = Diese Installation kann ein Dienstkonto nicht ohne seinen Schlüssel verwenden. Fügen Sie den Schlüssel ein.
administrators-address-needed = Geben Sie die E-Mail-Adresse eines Administrators Ihrer Organisation ein.
service-accounts-address-needed = Geben Sie die E-Mail-Adresse eines Dienstkontos ein; sie endet auf .gserviceaccount.com.
no-credentials-at-this-step = In diesem Schritt sind keine Zugangsdaten nötig. Öffnen Sie noch einmal den Link aus Ihrer Einladung.
user-and-password-needed = Geben Sie Benutzernamen und Passwort ein.
no-address-of-a-server = Dies ist keine gültige Serveradresse.
https-address-needed = Geben Sie eine Adresse ein, die mit https:// beginnt und weder Benutzernamen noch Passwort, ? oder # enthält.
session-over = Diese Seite ist abgelaufen. Öffnen Sie noch einmal den Link aus Ihrer Einladung.
page-of-another-session = Diese Seite gehört zu einer anderen Verbindung als der, die in diesem Browser zuletzt begonnen wurde. Es ist nichts geschehen. Öffnen Sie noch einmal den Link aus Ihrer Einladung.

## Integrationen und Postfächer

integration-suspended = Diese Integration ist ausgesetzt, weil Ihr Tarif sie nicht enthält oder Ihr Anbieter sie abgeschaltet hat. Es gehen keine Daten verloren.
ask-the-vendor-to-resume = Bitten Sie Ihren Anbieter, die Verbindung über ein Dienstkonto wieder einzuschalten.
mailboxes-lost = Einige Postfächer, die aktiv waren, sind nicht mehr erreichbar.
check-unreachable-mailboxes = Prüfen Sie die Postfächer, die nicht erreichbar sind.
add-the-mailbox-to-the-scope = Nehmen Sie das Postfach in den vereinbarten Bereich auf, oder lassen Sie Buchungen über das Dienstkonto laufen.
ask-the-owner-to-connect-again = Bitten Sie den Inhaber des Postfachs, den Kalender neu zu verbinden.
ask-why-the-mailbox-is-refused = Fragen Sie den Administrator des Kalendersystems, warum es dieses Postfach verweigert. Muster versucht es von selbst erneut.
connect-again-as-administrator = Verbinden Sie das Kalendersystem als Administrator neu.
not-the-users = Dieses Postfach gehört keinem Benutzer mehr.
excluded = Ein Administrator hat dieses Postfach ausgeschlossen.
mailbox-disconnected = Dieses Postfach wurde getrennt: Sein Kalender wird weder gelesen noch beschrieben.
activate-to-connect-again = Aktivieren Sie das Postfach, um es wieder zu verbinden.
integration-disconnecting = Dieses Kalendersystem wird gerade getrennt.
integration-disconnected = Dieses Kalendersystem wurde getrennt: Seine Kopien und Zugangsdaten sind gelöscht. Gebuchte Termine bleiben in den Kalendern.
withdraw-consent-at-provider = Bitten Sie Ihren { $system }-Administrator, die Anwendung zu entfernen; damit ist ihre Zustimmung zurückgezogen.
withdraw-delegation-at-google = Bitten Sie Ihren Google-Workspace-Administrator, die domänenweite Delegierung in der Admin-Konsole zu entfernen.
change-the-password = Ändern Sie das Passwort des Dienstkontos, oder löschen Sie das Konto.

## Buchungen, deren Termine im Kalender geändert wurden

event-deleted = Jemand hat den Termin aus dem Kalender gelöscht.
restore-or-cancel = Tragen Sie den Termin neu ein, oder sagen Sie die Buchung ab.
moved-to-taken-time = Jemand hat den Termin im Kalender auf eine Zeit verschoben, zu der nicht alle frei sind: { $names }.
move-accept-or-cancel = Verschieben Sie die Buchung auf eine andere Zeit, nehmen Sie diese Zeit an, oder sagen Sie die Buchung ab.

## Kalender in Suchen und Buchungen

calendar-not-connected = Dieser Kalender ist nicht verbunden.
connect-the-calendar = Verbinden Sie den Kalender.
calendar-unreadable = Der Kalender kann zurzeit nicht gelesen werden.
calendar-not-read-yet = Der Kalender wurde noch nicht gelesen.
calendar-read-too-long-ago = Der Kalender wurde vor zu langer Zeit zuletzt gelesen.
calendar-read-in-part = Der Kalender wurde nur von { $start } bis { $end } gelesen.
unreadable-items = Unlesbare Einträge in diesem Kalender: { $count }.
ask-the-owner-to-correct-items = Bitten Sie den Inhaber des Kalenders, diese Einträge zu berichtigen oder zu löschen.
calendar-unknown = { $name }: { $cause }
calendar-not-read-for-that-time = { $name }: Dieser Kalender wurde für diese Zeit nicht gelesen.
outside-working-hours = Die Zeit liegt außerhalb der Arbeitszeit in { $zone }.
outside-search-window = Die Zeit liegt außerhalb des Suchzeitraums.
no-room-matches = Kein Raum entspricht der Suche.
busy-from-to = { $name } ist von { $start } bis { $end } beschäftigt.
tentative-from-to = { $name } ist von { $start } bis { $end } unter Vorbehalt beschäftigt.
busy-then = { $name } ist zu dieser Zeit beschäftigt.
tentative-then = { $name } ist zu dieser Zeit unter Vorbehalt beschäftigt.
cannot-tell-whether-free = Muster kann nicht sagen, ob { $name } frei ist: { $cause }

## Prüfungen einer Verbindung

earlier-check-failed = Eine frühere Prüfung ist gescheitert.
evidence-of-failure = { $message } ({ $code })
system-responds = Das Kalendersystem antwortet.
system-grants-access = Das Kalendersystem gewährt Muster Zugriff.
system-belongs-to = Das Kalendersystem gehört zu { $name }.
connect-with-the-first-organisation = Verbinden Sie sich mit einem Konto der Organisation, die zuerst verbunden war.
check-that-the-system-is-reachable = Prüfen Sie, ob das Kalendersystem aus dem Internet erreichbar ist.
people-listed =
    { $count ->
        [one] Eine Person ist verzeichnet.
       *[other] { $count } Personen sind verzeichnet.
    }
people-listed-or-more = Mindestens { $count } Personen sind verzeichnet.
grant-listing-people = Erteilen Sie die Berechtigung, die Personen der Organisation aufzulisten.
grant-listing-rooms = Erteilen Sie die Berechtigung, die Räume der Organisation aufzulisten.
no-rooms-listed = Es sind keine Räume verzeichnet.
room-readable = Der Raum kann gelesen werden.
add-the-room-to-the-scope = Nehmen Sie den Raum in den vereinbarten Bereich auf, oder schließen Sie ihn aus.
no-service-mailbox = Es ist kein Dienstpostfach festgelegt.
add-a-service-mailbox = Fügen Sie ein Dienstpostfach hinzu, damit Buchungen auch für Personen möglich sind, deren Postfach nicht erreichbar ist.
check-the-address-and-scope = Prüfen Sie die Adresse, und ob das Postfach im vereinbarten Bereich liegt.
mailbox-not-found = Das Postfach wurde nicht gefunden.
mailbox-exists = Das Postfach von { $name } existiert.
two-events-written = Zwei gleichzeitige Termine wurden eingetragen und wieder gelöscht.
allow-overlapping-events = Erlauben Sie das Schreiben in dieses Postfach und gleichzeitige Termine darin.
written-event-missing = Ein Termin, den Muster eingetragen hat, fehlt: Das Postfach behält gleichzeitige Termine nicht.
unreadable-items-of-mailbox = Unlesbare Einträge: { $count }. Davon belegen { $unknown } keine Zeit, weil ihre Zeiten unbekannt sind.
more-mailboxes-with-unreadable-items =
    { $count ->
        [one] Ein weiteres Postfach enthält unlesbare Einträge.
       *[other] { $count } weitere Postfächer enthalten unlesbare Einträge.
    }
ask-the-owner-to-correct-listed-items = Bitten Sie den Inhaber des Postfachs, diese Einträge zu berichtigen oder zu löschen. Sie stehen im Feld `unreadable` der Verbindung.
