# Was statt einer Meldung gezeigt wird, die nur eine neuere Version kennt.

unknown-reason = Nur eine neuere Version von Muster kann den Code { $code } erklären.
unknown-message = Nur eine neuere Version von Muster kann diese Meldung anzeigen.
