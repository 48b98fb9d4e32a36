# Mails über Störungen, auf Deutsch. Jede Nachricht gibt es in allen Sprachen: ein Test vergleicht sie.

subject = Callseal: { $what }
subject-of-tenant = Callseal [{ $tenant }]: { $what }
over = vorbei: { $what }

the-place = { $sort ->
    [journal] Journal „{ $name }“
   *[target] Ziel „{ $name }“
}

what-failing = { $place } nimmt keine Aufzeichnungen an
what-set-aside = Aufzeichnungen für { $place } wurden beiseitegelegt
what-orphaned = { $place } steht nicht mehr in der Konfiguration, und Aufzeichnungen warten darauf
what-returned = { $place } steht wieder in der Konfiguration, und Aufzeichnungen warten auf Freigabe
what-incomplete = { $place } ist unvollständig beschrieben, es wird nichts dorthin gesendet
what-reported = Störung in „{ $place }“
what-halted = das Transparenz-Log ist angehalten, es wird nichts versiegelt
what-quota = der Zwischenspeicher hat { $level } % seiner Quote erreicht
what-full-soon = der Zwischenspeicher ist bei diesem Tempo in { $hours ->
    [0] weniger als einer Stunde
    [one] einer Stunde
   *[other] { $hours } Stunden
} voll
what-bus = der Bus (NATS) ist nicht erreichbar
what-deleting = Löschungen kommen nicht voran
what-clock = die Uhr ist zweifelhaft, und es wird nichts wegen abgelaufener Aufbewahrung gelöscht
what-astray = { $place } enthält nicht, was laut Archivverzeichnis dort liegt
what-digest = { $count ->
    [one] eine Störung dauert an
   *[other] { $count } Störungen dauern an
}
what-ends = { $stage ->
    [over] abgelaufen: { $thing }, { $place }
    [day] läuft innerhalb eines Tages ab: { $thing }, { $place }
    [week] läuft innerhalb von 7 Tagen ab: { $thing }, { $place }
   *[month] läuft innerhalb von 30 Tagen ab: { $thing }, { $place }
}

line-what = Was: { $what }
line-tenant = Mandant: { $tenant }
line-since = Seit: { $at } ({ $span })
line-problem = Ursache: { $problem }
line-waiting = { $count ->
    [0] Es wartet keine Aufzeichnung.
    [one] Eine Aufzeichnung wartet. Nichts geht verloren: Sie wird aufbewahrt, bis sie angekommen ist.
   *[other] { $count } Aufzeichnungen warten. Nichts geht verloren: Sie werden aufbewahrt, bis sie angekommen sind.
}
line-deletions = { $count ->
    [one] Eine Löschung wartet und wird von selbst wieder versucht.
   *[other] { $count } Löschungen warten und werden von selbst wieder versucht.
}
line-astray = { $count ->
    [one] Es betrifft eine Aufzeichnung.
   *[other] Es betrifft { $count } Aufzeichnungen.
}
line-dropped = { $count ->
    [one] Eine frühere Mail konnte Ihnen nicht zugestellt werden und wurde verworfen.
   *[other] { $count } frühere Mails konnten Ihnen nicht zugestellt werden und wurden verworfen.
} callseal targets zeigt, was jetzt nicht stimmt.
line-times = { $count ->
    [one] Einmal gemeldet.
   *[other] { $count }-mal gemeldet.
}
line-recording = Zuletzt zur Aufzeichnung: { $recording }
line-lasted = Dauer: { $span }, bis { $at }.
line-most = { $count ->
    [0] Keine Aufzeichnung musste warten.
    [one] Höchstens eine Aufzeichnung wartete.
   *[other] Höchstens { $count } Aufzeichnungen warteten.
}
line-still = { $count ->
    [0] Alles, was wartete, ist angekommen.
    [one] Eine Aufzeichnung ist noch unterwegs.
   *[other] { $count } Aufzeichnungen sind noch unterwegs.
}
line-ends-at = Ende: { $at }
line-no-report = Es kam keine weitere Meldung dazu.

span-minutes = { $n ->
    [0] weniger als eine Minute
    [one] eine Minute
   *[other] { $n } Minuten
}
span-hours = { $n ->
    [one] eine Stunde
   *[other] { $n } Stunden
}
span-days = { $n ->
    [one] ein Tag
   *[other] { $n } Tage
}

next = Was zu tun ist
next-failing-target =
    Beheben Sie die genannte Ursache; die Aufzeichnungen folgen dann von selbst.
    callseal targets
    callseal test-target { $name }
    callseal retry { $name }
next-failing-journal =
    Beheben Sie die genannte Ursache; die Einträge folgen dann von selbst.
    callseal targets
    callseal retry { $name }
next-set-aside =
    Sehen Sie nach, woran es liegt, beheben Sie es und lassen Sie es erneut versuchen.
    callseal shipments --failed
    callseal retry { $name }
next-orphaned =
    Nehmen Sie es wieder in die Konfiguration auf und geben Sie frei, was wartet; oder geben Sie es endgültig auf.
    callseal release { $name }
    callseal abandon { $name } --reason … --by …
next-returned =
    Prüfen Sie, ob es derselbe Ort ist wie zuvor, und geben Sie dann frei.
    callseal release { $name }
next-incomplete =
    Vervollständigen Sie die Beschreibung.
    callseal targets
    callseal test-target { $name }
next-reported =
    Lesen Sie das Protokoll des Dienstes, der es gemeldet hat.
next-reported-recording =
    Lesen Sie das Protokoll des Dienstes, der es gemeldet hat, und was aus der Aufzeichnung wurde.
    callseal why { $recording }
next-key =
    Prüfen Sie, ob der Schlüsselspeicher antwortet; Aufzeichnungen warten auf den Schlüssel und werden dann versiegelt.
    callseal key check
next-halted =
    Gespräche werden aufgezeichnet und warten unversiegelt. Lesen Sie docs/evidence.md, bevor Sie im Zwischenspeicher etwas ändern.
    callseal log state
next-quota =
    Sehen Sie nach, welches Ziel Aufzeichnungen warten lässt, oder vergrößern Sie den Datenträger. Gespräche werden weiter aufgezeichnet.
    callseal targets
    callseal sweep
next-bus =
    Starten Sie NATS. Gespräche werden weiter aufgezeichnet, in den Spool von ingest, bis dessen Datenträger voll ist.
next-deleting =
    Beheben Sie, was der Text oben nennt; die Löschungen gehen von selbst weiter.
    callseal delete list
next-clock =
    Stellen Sie die Uhr, falls sie falsch geht. Geht sie richtig, ist nichts zu tun: Einen Tag nach dem Sprung wird ihr geglaubt.
    callseal delete list
next-astray =
    Sehen Sie nach, wer dort noch schreibt oder löscht; holen Sie Fehlendes aus einer Sicherung oder von einem anderen Ziel zurück.
    callseal sweep
next-digest =
    callseal targets
next-ends =
    Erneuern Sie es beim Anbieter und tragen Sie das neue in die Konfiguration ein.
    callseal test-target { $name }
next-signing =
    Lassen Sie ein neues Zertifikat ausstellen, oder wechseln Sie den Schlüssel.
    callseal key show

footer = Gesendet von Callseal. Wer diese Mails erhält und wie oft: notifications in der Konfiguration (docs/notifications.md).
