# Was die Engine über einen Ablauf sagt.

run-quarantined = Dieser Ablauf hat den Server mehrmals zum Absturz gebracht und ist in Quarantäne.
read-history-then-retry = Lesen Sie die Historie des Ablaufs und wiederholen Sie ihn dann.
run-cancelled = Dieser Ablauf wurde von einer Person abgebrochen.
wait-unnamed = Ein Schritt wollte warten, ohne eine Zeit oder ein Signal zu nennen.
successor-unknown = Ein Schritt hat den Ablauf in einen Zustand versetzt, den sein Workflow nicht erlaubt.
check-the-provider-then-retry = Prüfen Sie, welche Änderungen beim Anbieter verblieben sind, und wiederholen Sie dann den Ablauf.
state-unknown = Der Ablauf ist in einem Zustand, den diese Version von Muster nicht unterstützt.
step-panicked = Ein Schritt dieses Ablaufs ist wegen eines Fehlers in Muster gescheitert.
memory-unreadable = Der gespeicherte Stand des Ablaufs kann nicht gelesen werden.
