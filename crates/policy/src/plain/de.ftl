# Was eine Regel tut, auf Deutsch. Jede Nachricht gibt es in allen Sprachen: ein Test vergleicht sie.
# Gelesen von Administratoren und Juristen: kein Satz darf mehr behaupten, als das Programm tut.

## Aufzählungen von Namen

quoted = „{ $name }“
list-comma = { $first }, { $next }
list-and = { $first } und { $last }
list-more = { $names } und { $count ->
        [one] { $count } weiterer
       *[other] { $count } weitere
    }

## Erster Satz: welche Anrufe

disabled = Diese Regel ist abgeschaltet und zeichnet nichts auf. Eingeschaltet würde gelten:
records = Aufgezeichnet werden { $calls }{ $conditions }.

calls-all = { $directions ->
    [in] alle eingehenden Anrufe
    [out] alle ausgehenden Anrufe
    [internal] alle internen Anrufe
    [in-out] alle eingehenden und ausgehenden Anrufe (nicht aber interne)
    [in-internal] alle eingehenden und internen Anrufe (nicht aber ausgehende)
    [out-internal] alle ausgehenden und internen Anrufe (nicht aber eingehende)
   *[in-out-internal] alle Anrufe, ob eingehend, ausgehend oder intern
}
calls-all-users = { $directions ->
    [in] eingehende Anrufe direkt an einen Benutzer (nicht an Gruppen und Warteschlangen)
    [out] ausgehende Anrufe aller Benutzer
    [internal] interne Anrufe von einem Benutzer oder direkt an einen Benutzer
    [in-out] eingehende Anrufe direkt an einen Benutzer (nicht an Gruppen und Warteschlangen) und ausgehende Anrufe aller Benutzer
    [in-internal] eingehende Anrufe direkt an einen Benutzer (nicht an Gruppen und Warteschlangen) und interne Anrufe von einem Benutzer oder direkt an einen Benutzer
    [out-internal] ausgehende Anrufe aller Benutzer und interne Anrufe von einem Benutzer oder direkt an einen Benutzer
   *[in-out-internal] eingehende Anrufe direkt an einen Benutzer (nicht an Gruppen und Warteschlangen), ausgehende Anrufe aller Benutzer sowie interne Anrufe von einem Benutzer oder direkt an einen Benutzer
}
calls-selected = { $directions ->
    [in] eingehende Anrufe { $to }
    [out] ausgehende Anrufe { $by }
    [internal] interne Anrufe { $by } sowie interne Anrufe { $to }
    [in-out] eingehende Anrufe { $to } sowie ausgehende Anrufe { $by }
    [in-internal] eingehende und interne Anrufe { $to } sowie interne Anrufe { $by }
    [out-internal] ausgehende und interne Anrufe { $by } sowie interne Anrufe { $to }
   *[in-out-internal] eingehende und interne Anrufe { $to } sowie ausgehende und interne Anrufe { $by }
}

# Hinter „Anrufe“.
to-groups = an { $count ->
        [one] die Gruppe { $names }
       *[other] eine der Gruppen { $names }
    }
to-groups-and-members = { to-groups } oder direkt an eines ihrer aktiven Mitglieder
to-users = an { $count ->
        [one] den Benutzer { $names }
       *[other] einen der Benutzer { $names }
    }
by-members = von einem aktiven Mitglied { $count ->
        [one] der Gruppe { $names }
       *[other] einer der Gruppen { $names }
    }
by-users = { $count ->
    [one] vom Benutzer { $names }
   *[other] von einem der Benutzer { $names }
}
either = { $first } oder { $last }

# Hinter den Anrufen. „only“ sind eine oder zwei Bedingungen, „except“ eine.
conditions-only = , jedoch nur, wenn { $only }
conditions-except = , außer wenn { $except }
conditions-only-except = , jedoch nur, wenn { $only }, und nicht, wenn { $except }
both-conditions = { $first } und { $last }
origin-internal = der Anruf von einem eigenen Benutzer ausgeht
origin-external = der Anruf von außen kommt
number-filter = die Rufnummer der Gegenstelle im Nummernfilter der Regel steht ({ $entries })
number-pattern = Nummern nach dem Muster { $pattern }
exceptions = die Rufnummer der Gegenstelle auf { $count ->
        [one] der Ausnahmeliste { $names }
       *[other] einer der Ausnahmelisten { $names }
    } steht

## Zweiter Satz: die Grundlage

legal-duty = Die Aufzeichnung erfüllt eine gesetzliche Pflicht: Sie beginnt mit dem Rufaufbau, und niemand wird um Einwilligung gebeten; eigene Benutzer können sie{ stop-keys } vorzeitig beenden, was protokolliert wird; sie wird aber weder unterbrochen noch fortgesetzt noch erst später begonnen.
stop-keys = { $stop-code ->
    [none] {""}
   *[code] {" "}durch Wählen von { $stop-code }
}

# Was zu hören ist, wo niemand gefragt wird, und in welchen Anrufen.
heard = { $heard-by ->
    [both] Beide Seiten hören
   *[caller] Der Anrufer hört
} { $announced ->
    [in] bei { incoming } Anrufen die Ansage { $inbound }
    [out] bei ausgehenden Anrufen die Ansage { $outbound }
   *[in-out] bei { incoming } Anrufen die Ansage { $inbound } und bei ausgehenden die Ansage { $outbound }
}.
incoming = { $incoming ->
    [in] eingehenden
    [internal] internen
   *[in-internal] eingehenden und internen
}

# Einwilligung: wer gefragt wird, und von wem.
consent-opt-in = Erforderlich ist eine Einwilligung (Opt-in): { $asked-by ->
    [consent-call] Bevor der Anruf vermittelt wird, hört { asked } { announcement } und kann innerhalb von { seconds } danach durch Drücken { key } einwilligen. Ohne diesen Tastendruck wird nichts aufgezeichnet; mit ihm
    [recorded-call] Während des Anrufs spielt die Telefonanlage { asked-to } { announcement } vor; das Drücken { key } innerhalb von { seconds } danach gilt als Einwilligung. Ohne diesen Tastendruck wird nichts aufgezeichnet; mit ihm
   *[pbx] Die Telefonanlage fragt selbst { asked-object }{ by-announcement } und meldet die Antwort. Ohne Einwilligung wird nichts aufgezeichnet; mit ihr
} beginnt die Aufzeichnung, und was davor zu hören war, wird nicht aufbewahrt.
consent-opt-out = Es besteht ein Widerspruchsrecht (Opt-out): { $asked-by ->
    [consent-call] Bevor der Anruf vermittelt wird, hört { asked } { announcement } und kann währenddessen oder innerhalb von { seconds } danach durch Drücken { key } widersprechen
    [recorded-call] Während des Anrufs spielt die Telefonanlage { asked-to } { announcement } vor; das Drücken { key } währenddessen oder innerhalb von { seconds } danach gilt als Widerspruch
   *[pbx] Die Telefonanlage fragt selbst { asked-object }{ by-announcement } und meldet die Antwort
}. Nach einem Widerspruch wird nichts aufgezeichnet; sonst beginnt die Aufzeichnung, { $asked-by ->
    [pbx] sobald die Antwort gemeldet ist
   *[other] sobald diese Zeit abgelaufen ist
}, und was davor zu hören war, wird nicht aufbewahrt.
consent-no-choice = Es wird informiert, ohne eine Wahl zu lassen: { $asked-by ->
    [consent-call] Bevor der Anruf vermittelt wird, hört { asked } { announcement }; eine Taste wird nicht ausgewertet. Die Aufzeichnung beginnt nach der Ansage, und was davor zu hören war, wird nicht aufbewahrt
    [recorded-call] Während des Anrufs spielt die Telefonanlage { asked-to } { announcement } vor; eine Taste wird nicht ausgewertet. Die Aufzeichnung beginnt nach der Ansage, und was davor zu hören war, wird nicht aufbewahrt
   *[pbx] Die Telefonanlage informiert selbst { asked-object }{ by-announcement }; eine Taste wird nicht ausgewertet. Die Aufzeichnung beginnt mit dem Rufaufbau
}.
asked = { $asked ->
    [caller] der Anrufer
    [callee] der Angerufene
    [outside] der externe Gesprächspartner
   *[outside-or-caller] der externe Gesprächspartner (bei internen Anrufen der Anrufer)
}
asked-object = { $asked ->
    [caller] den Anrufer
    [callee] den Angerufenen
    [outside] den externen Gesprächspartner
   *[outside-or-caller] den externen Gesprächspartner (bei internen Anrufen den Anrufer)
}
asked-to = { $asked ->
    [caller] dem Anrufer
    [callee] dem Angerufenen
    [outside] dem externen Gesprächspartner
   *[outside-or-caller] dem externen Gesprächspartner (bei internen Anrufen dem Anrufer)
}
announcement = { $announced ->
    [in] die Ansage { $inbound }
    [out] die Ansage { $outbound }
    [in-out] die Ansage { $inbound } (bei ausgehenden Anrufen { $outbound })
   *[none] eine Ansage
}
by-announcement = { $announced ->
    [none] {""}
   *[other] {" "}durch { announcement }
}
# Im Genitiv: „durch Drücken …“.
key = { $key ->
    [any] einer beliebigen Taste
    [star] der Sterntaste (*)
    [hash] der Rautetaste (#)
   *[digit] der Taste { $digit }
}
# Im Dativ: „innerhalb von …“.
seconds = { $seconds ->
    [one] { $seconds } Sekunde
   *[other] { $seconds } Sekunden
}
heard-by-both = Die Ansage hören beide Seiten.
outcome-both = Das Ergebnis wird angesagt: { $granted }, wenn aufgezeichnet wird, sonst { $denied }.
outcome-granted = Wird aufgezeichnet, so wird das angesagt ({ $granted }).
outcome-denied = Wird nicht aufgezeichnet, so wird das angesagt ({ $denied }).

## Dritter Satz: was aufbewahrt wird, und wo

kept = { channels }; die Aufzeichnungen { stored }.
channels = { $channels ->
    [stereo] Beide Seiten werden in einer Stereodatei aufbewahrt, jede auf einem eigenen Kanal
    [separate] Beide Seiten werden aufbewahrt, jede in einer eigenen Datei
    [caller-only] Nur die Seite des Anrufers wird aufbewahrt
   *[callee-only] Nur die Seite des Angerufenen wird aufbewahrt
}
stored = { $targets ->
    [0] bleiben im eigenen Speicher von Callseal, da kein Speicherziel genannt ist,
    [one] gehen an das Speicherziel { $target-names }
   *[other] gehen an die Speicherziele { $target-names }
} und werden { $journals ->
    [0] in kein Journal
    [one] in das Journal { $journal-names }
   *[other] in die Journale { $journal-names }
} eingetragen

## Vierter Satz: Aufzeichnung von Hand

manual = Benutzer, die von der Regel erfasst sind, dürfen außerdem von Hand eine Aufzeichnung starten und beenden, es sei denn, der Anruf wird aufgrund einer gesetzlichen Pflicht aufgezeichnet oder die andere Seite wurde gefragt und hat es nicht erlaubt; solche Aufzeichnungen sind von den übrigen getrennt: Sie { stored }. { channels }.

## Um die Sätze herum

covers-nobody = Die Regel erfasst keinen Benutzer.
covers = { $count ->
    [one] Die Regel erfasst { $count } Benutzer: { $members }.
   *[other] Die Regel erfasst { $count } Benutzer: { $members }.
}
member-of = { $user } (über { $groups })
member-also-itself = { $user } (namentlich und über { $groups })
no-rules = Es gibt keine Regel: Kein Anruf wird aufgezeichnet.
