# What a rule does, in English. Every message here exists in all languages: a test compares them.
# Read by administrators and lawyers: no claim may be wider than what the program does.

## Lists of names

quoted = “{ $name }”
list-comma = { $first }, { $next }
list-and = { $first } and { $last }
list-more = { $names } and { $count ->
        [one] { $count } more
       *[other] { $count } more
    }

## First sentence: which calls

disabled = This rule is disabled and records nothing. If it were enabled, this would hold:
records = This rule records { $calls }{ $conditions }.

calls-all = { $directions ->
    [in] all inbound calls
    [out] all outbound calls
    [internal] all internal calls
    [in-out] all inbound and outbound calls (but no internal ones)
    [in-internal] all inbound and internal calls (but no outbound ones)
    [out-internal] all outbound and internal calls (but no inbound ones)
   *[in-out-internal] all calls, whether inbound, outbound or internal
}
calls-all-users = { $directions ->
    [in] inbound calls addressed directly to a user (not those to groups and queues)
    [out] outbound calls by any user
    [internal] internal calls by any user or addressed directly to one
    [in-out] inbound calls addressed directly to a user (not those to groups and queues) and outbound calls by any user
    [in-internal] inbound calls addressed directly to a user (not those to groups and queues) and internal calls by any user or addressed directly to one
    [out-internal] outbound calls by any user and internal calls by any user or addressed directly to one
   *[in-out-internal] inbound calls addressed directly to a user (not those to groups and queues), outbound calls by any user, and internal calls by any user or addressed directly to one
}
calls-selected = { $directions ->
    [in] inbound calls { $to }
    [out] outbound calls { $by }
    [internal] internal calls { $by }, and internal calls { $to }
    [in-out] inbound calls { $to }, and outbound calls { $by }
    [in-internal] inbound and internal calls { $to }, and internal calls { $by }
    [out-internal] outbound and internal calls { $by }, and internal calls { $to }
   *[in-out-internal] inbound and internal calls { $to }, and outbound and internal calls { $by }
}

# Behind "calls".
to-groups = to { $count ->
        [one] the group { $names }
       *[other] one of the groups { $names }
    }
to-groups-and-members = { to-groups } or directly to one of { $count ->
        [one] its
       *[other] their
    } active members
to-users = to { $count ->
        [one] the user { $names }
       *[other] one of the users { $names }
    }
by-members = by an active member of { $count ->
        [one] the group { $names }
       *[other] one of the groups { $names }
    }
by-users = by { $count ->
        [one] the user { $names }
       *[other] one of the users { $names }
    }
either = { $first } or { $last }

# Behind the calls. "only" holds one or two conditions, "except" one.
conditions-only = , but only if { $only }
conditions-except = , unless { $except }
conditions-only-except = , but only if { $only }, and not if { $except }
both-conditions = { $first } and { $last }
origin-internal = the call is made by one of the organisation’s own users
origin-external = the call comes from outside
number-filter = the other party’s number is in the rule’s number filter ({ $entries })
number-pattern = numbers like { $pattern }
exceptions = the other party’s number is on { $count ->
        [one] the exception list { $names }
       *[other] one of the exception lists { $names }
    }

## Second sentence: the basis

legal-duty = It serves a legal duty: recording begins at call set-up, and nobody is asked for consent; the organisation’s own users can end it early{ stop-keys }, which is put on record, but it is neither paused nor resumed nor begun later.
stop-keys = { $stop-code ->
    [none] {""}
   *[code] {" "}by dialling { $stop-code }
}

# What is heard where nobody is asked, and in which calls.
heard = { $heard-by ->
    [both] Both sides hear
   *[caller] The caller hears
} { $announced ->
    [in] the announcement { $inbound } in { incoming } calls
    [out] the announcement { $outbound } in outbound calls
   *[in-out] the announcement { $inbound } in { incoming } calls and the announcement { $outbound } in outbound calls
}.
incoming = { $incoming ->
    [in] inbound
    [internal] internal
   *[in-internal] inbound and internal
}

# Consent: who is asked, and by whom.
consent-opt-in = It needs consent (opt-in): { $asked-by ->
    [consent-call] before the call is put through, { asked } hears { announcement } and can consent by pressing { key } within { seconds } after it. Without that key nothing is recorded
    [recorded-call] during the call the telephone system plays { announcement } to { asked-to }; pressing { key } within { seconds } after it gives consent. Without that key nothing is recorded
   *[pbx] the telephone system itself asks { asked-object }{ by-announcement } and reports the answer. Without consent nothing is recorded
}; with it recording begins, and nothing from before is kept.
consent-opt-out = It leaves a right to object (opt-out): { $asked-by ->
    [consent-call] before the call is put through, { asked } hears { announcement } and can object by pressing { key } during it or within { seconds } after it
    [recorded-call] during the call the telephone system plays { announcement } to { asked-to }; pressing { key } during it or within { seconds } after it is an objection
   *[pbx] the telephone system itself asks { asked-object }{ by-announcement } and reports the answer
}. After an objection nothing is recorded; otherwise recording begins { $asked-by ->
    [pbx] when the answer is reported
   *[other] when that time is over
}, and nothing from before is kept.
consent-no-choice = It informs without leaving a choice: { $asked-by ->
    [consent-call] before the call is put through, { asked } hears { announcement }; no key is read. Recording begins after the announcement, and nothing from before is kept
    [recorded-call] during the call the telephone system plays { announcement } to { asked-to }; no key is read. Recording begins after the announcement, and nothing from before is kept
   *[pbx] the telephone system itself informs { asked-object }{ by-announcement }; no key is read. Recording begins at call set-up
}.
asked = { $asked ->
    [caller] the caller
    [callee] the called party
    [outside] the outside party
   *[outside-or-caller] the outside party (in internal calls the caller)
}
asked-object = { asked }
asked-to = { asked }
announcement = { $announced ->
    [in] the announcement { $inbound }
    [out] the announcement { $outbound }
    [in-out] the announcement { $inbound } (in outbound calls { $outbound })
   *[none] an announcement
}
by-announcement = { $announced ->
    [none] {""}
   *[other] {" "}by { announcement }
}
key = { $key ->
    [any] any key
    [star] the star key (*)
    [hash] the hash key (#)
   *[digit] the key { $digit }
}
seconds = { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
}
heard-by-both = Both sides hear the announcement.
outcome-both = The outcome is announced: { $granted } if the call is recorded, { $denied } if not.
outcome-granted = If the call is recorded, that is announced ({ $granted }).
outcome-denied = If the call is not recorded, that is announced ({ $denied }).

## Third sentence: what is kept, and where

kept = { channels }; recordings { stored }.
channels = { $channels ->
    [stereo] Both sides are kept in one stereo file, each on a channel of its own
    [separate] Both sides are kept, each in a file of its own
    [caller-only] Only the caller’s side is kept
   *[callee-only] Only the called party’s side is kept
}
stored = { $targets ->
    [0] stay in Callseal’s own store, as no storage target is named,
    [one] go to the storage target { $target-names }
   *[other] go to the storage targets { $target-names }
} and { $journals ->
    [0] are entered in no journal
    [one] are entered in the journal { $journal-names }
   *[other] are entered in the journals { $journal-names }
}

## Fourth sentence: manual recording

manual = Users whom the rule covers may also start and stop a recording by hand, unless the call is recorded under a legal duty or the other side was asked and did not permit it; such recordings are kept apart from the others: they { stored }. { channels }.

## Around the sentences

covers-nobody = The rule covers no user.
covers = { $count ->
    [one] The rule covers { $count } user: { $members }.
   *[other] The rule covers { $count } users: { $members }.
}
member-of = { $user } (through { $groups })
member-also-itself = { $user } (by name and through { $groups })
no-rules = There is no rule: no call is recorded.
