# Was das Kalendersystem im Arbeitsspeicher sagt, mit dem Tests ein echtes ersetzen.

memory-changes-forgotten = Das Kalendersystem hat die Änderungen seit dem letzten Lesen nicht mehr.
memory-no-mailbox = Das Kalendersystem hat kein Postfach mit dieser E-Mail-Adresse.
memory-no-page = Die Liste hat keine solche Seite.
memory-read-only = Der Kalender darf nur gelesen werden.
memory-event-gone = Der Termin existiert nicht mehr.
memory-connection-broke = Die Verbindung zum Kalendersystem ist abgebrochen.
memory-no-push = Dieses Kalendersystem meldet Änderungen nicht von sich aus.
memory-channel-gone = Der Kanal existiert nicht mehr.
