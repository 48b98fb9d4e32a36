# Ce que fait une règle, en français. Chaque message existe dans toutes les langues : un test les compare.
# Lu par des administrateurs et des juristes : aucune phrase ne doit affirmer plus que ce que fait le
# programme. Les espaces insécables (U+202F, U+00A0) devant « ; » et « : » sont voulues.

## Énumérations de noms

quoted = « { $name } »
list-comma = { $first }, { $next }
list-and = { $first } et { $last }
list-more = { $names } et { $count ->
        [one] { $count } autre
       *[other] { $count } autres
    }

## Première phrase : quels appels

disabled = Cette règle est désactivée et n’enregistre rien. Si elle était activée, voici ce qui s’appliquerait :
records = Cette règle enregistre { $calls }{ $conditions }.

calls-all = { $directions ->
    [in] tous les appels entrants
    [out] tous les appels sortants
    [internal] tous les appels internes
    [in-out] tous les appels entrants et sortants (mais pas les appels internes)
    [in-internal] tous les appels entrants et internes (mais pas les appels sortants)
    [out-internal] tous les appels sortants et internes (mais pas les appels entrants)
   *[in-out-internal] tous les appels, qu’ils soient entrants, sortants ou internes
}
calls-all-users = { $directions ->
    [in] les appels entrants adressés directement à un utilisateur (et non à un groupe ou à une file d’attente)
    [out] les appels sortants de tous les utilisateurs
    [internal] les appels internes passés par un utilisateur ou adressés directement à un utilisateur
    [in-out] les appels entrants adressés directement à un utilisateur (et non à un groupe ou à une file d’attente) et les appels sortants de tous les utilisateurs
    [in-internal] les appels entrants adressés directement à un utilisateur (et non à un groupe ou à une file d’attente) et les appels internes passés par un utilisateur ou adressés directement à un utilisateur
    [out-internal] les appels sortants de tous les utilisateurs et les appels internes passés par un utilisateur ou adressés directement à un utilisateur
   *[in-out-internal] les appels entrants adressés directement à un utilisateur (et non à un groupe ou à une file d’attente), les appels sortants de tous les utilisateurs, ainsi que les appels internes passés par un utilisateur ou adressés directement à un utilisateur
}
calls-selected = { $directions ->
    [in] les appels entrants adressés { $to }
    [out] les appels sortants passés { $by }
    [internal] les appels internes passés { $by }, ainsi que les appels internes adressés { $to }
    [in-out] les appels entrants adressés { $to }, ainsi que les appels sortants passés { $by }
    [in-internal] les appels entrants et internes adressés { $to }, ainsi que les appels internes passés { $by }
    [out-internal] les appels sortants et internes passés { $by }, ainsi que les appels internes adressés { $to }
   *[in-out-internal] les appels entrants et internes adressés { $to }, ainsi que les appels sortants et internes passés { $by }
}

# Derrière « adressés » et « passés ».
to-groups = { $count ->
    [one] au groupe { $names }
   *[other] à l’un des groupes { $names }
}
to-groups-and-members = { to-groups } ou directement à l’un de { $count ->
        [one] ses
       *[other] leurs
    } membres actifs
to-users = à { $count ->
        [one] l’utilisateur { $names }
       *[other] l’un des utilisateurs { $names }
    }
by-members = par un membre actif { $count ->
        [one] du groupe { $names }
       *[other] de l’un des groupes { $names }
    }
by-users = par { $count ->
        [one] l’utilisateur { $names }
       *[other] l’un des utilisateurs { $names }
    }
either = { $first } ou { $last }

# Derrière les appels. « only » : une ou deux conditions, « except » : une seule.
conditions-only = , mais seulement si { $only }
conditions-except = , sauf si { $except }
conditions-only-except = , mais seulement si { $only }, et jamais si { $except }
both-conditions = { $first } et si { $last }
origin-internal = l’appel émane d’un utilisateur de l’organisation
origin-external = l’appel vient de l’extérieur
number-filter = le numéro du correspondant figure dans le filtre de numéros de la règle ({ $entries })
number-pattern = numéros conformes au modèle { $pattern }
exceptions = le numéro du correspondant figure sur { $count ->
        [one] la liste d’exceptions { $names }
       *[other] l’une des listes d’exceptions { $names }
    }

## Deuxième phrase : le fondement

legal-duty = Elle répond à une obligation légale : l’enregistrement commence dès l’établissement de l’appel, sans que le consentement de quiconque soit demandé ; les utilisateurs de l’organisation peuvent l’arrêter avant la fin de l’appel{ stop-keys }, ce qui est consigné, mais il n’est ni suspendu, ni repris, ni commencé plus tard.
stop-keys = { $stop-code ->
    [none] {""}
   *[code] {" "}en composant { $stop-code }
}

# Ce qui est entendu là où personne n’est interrogé, et dans quels appels.
heard = { $heard-by ->
    [both] Les deux parties entendent
   *[caller] L’appelant entend
} { $announced ->
    [in] l’annonce { $inbound } lors des appels { incoming }
    [out] l’annonce { $outbound } lors des appels sortants
   *[in-out] l’annonce { $inbound } lors des appels { incoming } et l’annonce { $outbound } lors des appels sortants
}.
incoming = { $incoming ->
    [in] entrants
    [internal] internes
   *[in-internal] entrants et internes
}

# Consentement : qui est interrogé, et par qui.
consent-opt-in = Elle exige un consentement (opt-in) : { $asked-by ->
    [consent-call] avant la mise en relation, { asked } entend { announcement } et peut consentir en appuyant sur { key } dans un délai de { seconds } après la fin de celle-ci. Sans cet appui, rien n’est enregistré ; après celui-ci
    [recorded-call] pendant l’appel, le système téléphonique diffuse { announcement } { asked-to } ; un appui sur { key } dans un délai de { seconds } après la fin de celle-ci vaut consentement. Sans cet appui, rien n’est enregistré ; après celui-ci
   *[pbx] le système téléphonique interroge lui-même { asked-object }{ by-announcement } et communique la réponse. Sans consentement, rien n’est enregistré ; après celui-ci
}, l’enregistrement commence, et rien de ce qui précède n’est conservé.
consent-opt-out = Elle laisse un droit d’opposition (opt-out) : { $asked-by ->
    [consent-call] avant la mise en relation, { asked } entend { announcement } et peut s’opposer en appuyant sur { key } pendant l’annonce ou dans un délai de { seconds } après la fin de celle-ci
    [recorded-call] pendant l’appel, le système téléphonique diffuse { announcement } { asked-to } ; un appui sur { key } pendant l’annonce ou dans un délai de { seconds } après la fin de celle-ci vaut opposition
   *[pbx] le système téléphonique interroge lui-même { asked-object }{ by-announcement } et communique la réponse
}. En cas d’opposition, rien n’est enregistré ; sinon, l’enregistrement commence { $asked-by ->
    [pbx] dès que la réponse est communiquée
   *[other] à l’expiration de ce délai
}, et rien de ce qui précède n’est conservé.
consent-no-choice = Elle informe sans laisser de choix : { $asked-by ->
    [consent-call] avant la mise en relation, { asked } entend { announcement } ; aucune touche n’est prise en compte. L’enregistrement commence après l’annonce, et rien de ce qui précède n’est conservé
    [recorded-call] pendant l’appel, le système téléphonique diffuse { announcement } { asked-to } ; aucune touche n’est prise en compte. L’enregistrement commence après l’annonce, et rien de ce qui précède n’est conservé
   *[pbx] le système téléphonique informe lui-même { asked-object }{ by-announcement } ; aucune touche n’est prise en compte. L’enregistrement commence dès l’établissement de l’appel
}.
asked = { $asked ->
    [caller] l’appelant
    [callee] l’appelé
    [outside] le correspondant extérieur
   *[outside-or-caller] le correspondant extérieur (pour les appels internes, l’appelant)
}
asked-object = { asked }
asked-to = { $asked ->
    [caller] à l’appelant
    [callee] à l’appelé
    [outside] au correspondant extérieur
   *[outside-or-caller] au correspondant extérieur (pour les appels internes, à l’appelant)
}
announcement = { $announced ->
    [in] l’annonce { $inbound }
    [out] l’annonce { $outbound }
    [in-out] l’annonce { $inbound } (pour les appels sortants, { $outbound })
   *[none] une annonce
}
by-announcement = { $announced ->
    [none] {""}
   *[other] {" "}par { announcement }
}
key = { $key ->
    [any] n’importe quelle touche
    [star] la touche étoile (*)
    [hash] la touche dièse (#)
   *[digit] la touche { $digit }
}
seconds = { $seconds ->
    [one] { $seconds } seconde
   *[other] { $seconds } secondes
}
heard-by-both = Les deux parties entendent l’annonce.
outcome-both = Le résultat est annoncé : { $granted } si l’appel est enregistré, { $denied } s’il ne l’est pas.
outcome-granted = Si l’appel est enregistré, cela est annoncé ({ $granted }).
outcome-denied = Si l’appel n’est pas enregistré, cela est annoncé ({ $denied }).

## Troisième phrase : ce qui est conservé, et où

kept = { channels } ; les enregistrements { stored }.
channels = { $channels ->
    [stereo] Les deux côtés sont conservés dans un même fichier stéréo, chacun sur son propre canal
    [separate] Les deux côtés sont conservés, chacun dans son propre fichier
    [caller-only] Seul le côté de l’appelant est conservé
   *[callee-only] Seul le côté de l’appelé est conservé
}
stored = { $targets ->
    [0] restent dans l’espace de stockage propre à Callseal, aucune destination n’étant indiquée,
    [one] sont déposés dans la destination de stockage { $target-names }
   *[other] sont déposés dans les destinations de stockage { $target-names }
} et { $journals ->
    [0] ne sont inscrits dans aucun journal
    [one] sont inscrits dans le journal { $journal-names }
   *[other] sont inscrits dans les journaux { $journal-names }
}

## Quatrième phrase : enregistrement manuel

manual = Les utilisateurs concernés par la règle peuvent en outre lancer et arrêter eux-mêmes un enregistrement, sauf si l’appel est enregistré en vertu d’une obligation légale ou si l’autre partie, interrogée, ne l’a pas permis ; ces enregistrements sont tenus à part des autres : ils { stored }. { channels }.

## Autour des phrases

covers-nobody = La règle ne concerne aucun utilisateur.
covers = { $count ->
    [one] La règle concerne { $count } utilisateur : { $members }.
   *[other] La règle concerne { $count } utilisateurs : { $members }.
}
member-of = { $user } (par { $groups })
member-also-itself = { $user } (nommément et par { $groups })
no-rules = Il n’y a aucune règle : aucun appel n’est enregistré.
