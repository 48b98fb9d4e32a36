# Courriels sur les pannes, en français. Chaque message existe dans toutes les langues : un test les compare.

subject = Callseal : { $what }
subject-of-tenant = Callseal [{ $tenant }] : { $what }
over = terminé : { $what }

the-place = { $sort ->
    [journal] le journal « { $name } »
   *[target] la destination « { $name } »
}

what-failing = { $place } n’accepte pas d’enregistrements
what-set-aside = des enregistrements pour { $place } ont été mis de côté
what-orphaned = { $place } ne figure plus dans la configuration, et des enregistrements attendent
what-returned = { $place } figure de nouveau dans la configuration, et des enregistrements attendent d’être libérés
what-incomplete = la description est incomplète : rien n’est envoyé vers { $place }
what-reported = panne dans « { $place } »
what-halted = le journal de transparence est arrêté, rien n’est scellé
what-quota = le stockage intermédiaire a atteint { $level } % de son quota
what-full-soon = à ce rythme, le stockage intermédiaire sera plein dans { $hours ->
    [0] moins d’une heure
    [one] une heure
   *[other] { $hours } heures
}
what-bus = le bus (NATS) est injoignable
what-deleting = des suppressions n’avancent pas
what-clock = l’horloge est douteuse, et rien n’est supprimé en fin de conservation
what-astray = { $place } ne contient pas ce que dit l’index d’archive
what-digest = { $count ->
    [one] une panne persiste
   *[other] { $count } pannes persistent
}
what-ends = { $stage ->
    [over] arrivé à expiration : { $thing }, { $place }
    [day] expire dans moins d’un jour : { $thing }, { $place }
    [week] expire dans moins de 7 jours : { $thing }, { $place }
   *[month] expire dans moins de 30 jours : { $thing }, { $place }
}

line-what = Quoi : { $what }
line-tenant = Client : { $tenant }
line-since = Depuis : { $at } ({ $span })
line-problem = Cause : { $problem }
line-waiting = { $count ->
    [0] Aucun enregistrement n’attend.
    [one] Un enregistrement attend. Rien n’est perdu : il est conservé jusqu’à son arrivée.
   *[other] { $count } enregistrements attendent. Rien n’est perdu : ils sont conservés jusqu’à leur arrivée.
}
line-deletions = { $count ->
    [one] Une suppression attend ; elle est retentée d’elle-même.
   *[other] { $count } suppressions attendent ; elles sont retentées d’elles-mêmes.
}
line-astray = { $count ->
    [one] Cela concerne un enregistrement.
   *[other] Cela concerne { $count } enregistrements.
}
line-dropped = { $count ->
    [one] Un message antérieur n’a pas pu vous être remis et a été abandonné.
   *[other] { $count } messages antérieurs n’ont pas pu vous être remis et ont été abandonnés.
} callseal targets montre ce qui ne va pas maintenant.
line-times = { $count ->
    [one] Signalé une fois.
   *[other] Signalé { $count } fois.
}
line-recording = Dernier enregistrement concerné : { $recording }
line-lasted = Durée : { $span }, jusqu’à { $at }.
line-most = { $count ->
    [0] Aucun enregistrement n’a dû attendre.
    [one] Au plus un enregistrement a attendu.
   *[other] Au plus { $count } enregistrements ont attendu.
}
line-still = { $count ->
    [0] Tout ce qui attendait est arrivé.
    [one] Un enregistrement est encore en route.
   *[other] { $count } enregistrements sont encore en route.
}
line-ends-at = Fin : { $at }
line-no-report = Aucun autre signalement n’est venu.

span-minutes = { $n ->
    [0] moins d’une minute
    [one] une minute
   *[other] { $n } minutes
}
span-hours = { $n ->
    [one] une heure
   *[other] { $n } heures
}
span-days = { $n ->
    [one] un jour
   *[other] { $n } jours
}

next = Que faire
next-failing-target =
    Corrigez la cause indiquée ; les enregistrements suivront d’eux-mêmes.
    callseal targets
    callseal test-target { $name }
    callseal retry { $name }
next-failing-journal =
    Corrigez la cause indiquée ; les lignes suivront d’elles-mêmes.
    callseal targets
    callseal retry { $name }
next-set-aside =
    Cherchez pourquoi, corrigez, puis faites réessayer.
    callseal shipments --failed
    callseal retry { $name }
next-orphaned =
    Remettez-la dans la configuration et libérez ce qui attend, ou abandonnez définitivement.
    callseal release { $name }
    callseal abandon { $name } --reason … --by …
next-returned =
    Vérifiez que c’est le même endroit qu’avant, puis libérez.
    callseal release { $name }
next-incomplete =
    Complétez la description.
    callseal targets
    callseal test-target { $name }
next-reported =
    Lisez le journal du service qui l’a signalée.
next-reported-recording =
    Lisez le journal du service qui l’a signalée, et ce qu’est devenu l’enregistrement.
    callseal why { $recording }
next-key =
    Vérifiez que le magasin de clés répond ; les enregistrements attendent la clé et seront alors scellés.
    callseal key check
next-halted =
    Les appels sont enregistrés et attendent sans être scellés. Lisez docs/evidence.md avant de modifier le stockage.
    callseal log state
next-quota =
    Cherchez quelle destination fait attendre les enregistrements, ou agrandissez le disque. Les appels restent enregistrés.
    callseal targets
    callseal sweep
next-bus =
    Démarrez NATS. Les appels restent enregistrés, dans le spool d’ingest, tant que son disque n’est pas plein.
next-deleting =
    Corrigez ce que nomme le texte ci-dessus ; les suppressions reprennent d’elles-mêmes.
    callseal delete list
next-clock =
    Mettez l’horloge à l’heure si elle est fausse. Sinon il n’y a rien à faire : elle est crue un jour après le saut.
    callseal delete list
next-astray =
    Cherchez qui d’autre y écrit ou y supprime ; rapportez ce qui manque d’une sauvegarde ou d’une autre destination.
    callseal sweep
next-digest =
    callseal targets
next-ends =
    Renouvelez-le chez le fournisseur et mettez le nouveau dans la configuration.
    callseal test-target { $name }
next-signing =
    Faites établir un nouveau certificat, ou changez de clé.
    callseal key show

footer = Envoyé par Callseal. Qui reçoit ces courriels, et à quelle fréquence : notifications dans la configuration (docs/notifications.md).
