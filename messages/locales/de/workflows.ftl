# Was die Schritte der Workflows über Integrationen, Postfächer und Buchungen sagen.

## Ein Kalendersystem verbinden

consent-pending = Der Administrator hat beim Anbieter noch keinen Zugriff gewährt.
finish-the-consent = Schließen Sie die Zustimmung beim Anbieter ab.
consent-is-tried = Muster probiert den gewährten Zugriff aus.
correct-or-try-again = Korrigieren Sie Ihre Eingaben, oder versuchen Sie es erneut, sobald das Kalendersystem erreichbar ist: Öffnen Sie dazu noch einmal den Link aus der Einladung.
connect-failed = Die Verbindung ist gescheitert.
start-the-connection-again = Beginnen Sie die Verbindung von vorn.
consent-unreadable = Die Zustimmung kann nicht gelesen werden.
consent-missing = Die Zustimmung fehlt.
another-organisation-granted = Das angemeldete Konto gehört zu einer anderen Organisation als der, die den Zugriff gewährt hat.
another-organisation-before = Dies ist eine andere Organisation als die, die zuvor verbunden war.
authorisation-pending = Der Anbieter hat den Zugriff gewährt. Noch wird nichts gelesen oder geschrieben.
authorise-the-access = Erlauben Sie Muster, den gewährten Zugriff zu nutzen.
permission-spreading = Der Anbieter hat die neue Berechtigung noch nicht überall übernommen.
credentials-refused = Das Kalendersystem akzeptiert diese Zugangsdaten nicht.
verification-failed = Die Prüfung ist gescheitert.
integration-removed = Die Integration wurde entfernt.
consent-declined = Der Administrator hat keinen Zugriff gewährt.
connect-expired = Die Verbindung wurde nicht rechtzeitig abgeschlossen.
disconnection-stopped = Die Trennung wurde abgebrochen, bevor sie abgeschlossen war.
disconnect-again = Trennen Sie das Kalendersystem noch einmal, oder verbinden Sie es neu.

## Postfächer

mailbox-removed = Das Postfach existiert in Muster nicht mehr.
read-only = Dieser Kalender kann gelesen werden, aber Termine können nicht eingetragen werden.
grant-writing = Erteilen Sie die Berechtigung, in diesen Kalender zu schreiben.
try-the-activation-again = Versuchen Sie die Aktivierung noch einmal.
calendar-system-too-slow = Das Kalendersystem braucht zu lange.
calendar-too-slow = Das Lesen dieses Kalenders dauert zu lange.

## Buchungen

meeting-is-over = Die Besprechung war vorbei, bevor sie in einen Kalender eingetragen werden konnte.
no-writable-calendar = Weder in den Kalender des Organisators noch in ein Dienstpostfach kann geschrieben werden.
activate-a-calendar = Aktivieren Sie den Kalender des Organisators, oder geben Sie der Integration ein Dienstpostfach.
connect-again-then-book = Verbinden Sie das Kalendersystem neu und buchen Sie dann noch einmal.
book-a-later-time = Buchen Sie noch einmal, zu einer späteren Zeit.
booking-not-written = Die Buchung konnte nicht eingetragen werden.
booking-removed = Die Buchung existiert nicht mehr.
no-calendar-chosen = Für diese Buchung wurde kein Kalender gewählt.
slot-taken = Die neue Zeit ist für diese Buchung nicht mehr reserviert. Verschieben Sie die Buchung noch einmal.
booking-over = Die Buchung wurde nicht eingetragen oder ist vorbei.
cancel-again = Sagen Sie die Buchung noch einmal ab, sobald der Kalender erreichbar ist.
event-gone = Jemand hat den Termin aus dem Kalender gelöscht.
cancel-or-book-again = Sagen Sie diese Buchung ab, oder buchen Sie neu.
room-declined = { $room } hat die Buchung abgelehnt.
move-or-book-another-room = Verschieben Sie die Buchung, oder buchen Sie einen anderen Raum.
room-silent = Ein Raum hat noch nicht geantwortet.
ask-the-rooms-approver = Fragen Sie die Person, die Buchungen dieses Raums genehmigt.

## Server

update-all-servers = Bitten Sie den Betreiber, alle Server auf die neuere Version zu bringen.
