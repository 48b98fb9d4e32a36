# Mails about faults, in English. Every message here exists in all languages: a test compares them.
# Read by whoever mends things: what is wrong, since when, what to do. No number, no name of a person.

subject = Callseal: { $what }
subject-of-tenant = Callseal [{ $tenant }]: { $what }
over = over: { $what }

the-place = { $sort ->
    [journal] journal “{ $name }”
   *[target] target “{ $name }”
}

what-failing = { $place } takes no recordings
what-set-aside = recordings for { $place } were set aside
what-orphaned = { $place } is not in the configuration any more, and recordings wait for it
what-returned = { $place } is in the configuration again, and recordings wait to be released
what-incomplete = { $place } is incomplete, and nothing is sent there
what-reported = fault in “{ $place }”
what-halted = the transparency log is halted, and nothing is sealed
what-quota = staging has reached { $level } % of its quota
what-full-soon = staging is full in { $hours ->
    [0] less than an hour
    [one] an hour
   *[other] { $hours } hours
} at this rate
what-bus = the bus (NATS) cannot be reached
what-deleting = deletions do not go on
what-clock = the clock is in doubt, and retention deletes nothing
what-astray = { $place } does not hold what the archive index says
what-digest = { $count ->
    [one] one fault lasts on
   *[other] { $count } faults last on
}
what-ends = { $stage ->
    [over] { $thing } has ended: { $place }
    [day] { $thing } ends within a day: { $place }
    [week] { $thing } ends within 7 days: { $place }
   *[month] { $thing } ends within 30 days: { $place }
}

line-what = What: { $what }
line-tenant = Tenant: { $tenant }
line-since = Since: { $at } ({ $span })
line-problem = What is wrong: { $problem }
line-waiting = { $count ->
    [0] No recording waits.
    [one] One recording waits. Nothing is lost: it is kept until it has arrived.
   *[other] { $count } recordings wait. Nothing is lost: they are kept until they have arrived.
}
line-deletions = { $count ->
    [one] One deletion waits, and is tried again by itself.
   *[other] { $count } deletions wait, and are tried again by themselves.
}
line-astray = { $count ->
    [one] It is about one recording.
   *[other] It is about { $count } recordings.
}
line-dropped = { $count ->
    [one] One earlier mail could not be delivered to you, and was dropped.
   *[other] { $count } earlier mails could not be delivered to you, and were dropped.
} callseal targets shows what is wrong now.
line-times = { $count ->
    [one] Reported once.
   *[other] Reported { $count } times.
}
line-recording = Last about recording: { $recording }
line-lasted = It lasted { $span }, until { $at }.
line-most = { $count ->
    [0] No recording had to wait.
    [one] At most one recording waited.
   *[other] At most { $count } recordings waited.
}
line-still = { $count ->
    [0] Everything that waited has arrived.
    [one] One recording is still on its way.
   *[other] { $count } recordings are still on their way.
}
line-ends-at = Ends: { $at }
line-no-report = No further report of it has come.

span-minutes = { $n ->
    [0] less than a minute
    [one] one minute
   *[other] { $n } minutes
}
span-hours = { $n ->
    [one] one hour
   *[other] { $n } hours
}
span-days = { $n ->
    [one] one day
   *[other] { $n } days
}

next = What to do
next-failing-target =
    Mend what the text above names; recordings follow by themselves.
    callseal targets
    callseal test-target { $name }
    callseal retry { $name }
next-failing-journal =
    Mend what the text above names; the rows follow by themselves.
    callseal targets
    callseal retry { $name }
next-set-aside =
    Look why, mend it, then let them be tried again.
    callseal shipments --failed
    callseal retry { $name }
next-orphaned =
    Put it into the configuration again and release what waits; or give it up for good.
    callseal release { $name }
    callseal abandon { $name } --reason … --by …
next-returned =
    Look whether it is the same place as before, then let them go.
    callseal release { $name }
next-incomplete =
    Complete its description.
    callseal targets
    callseal test-target { $name }
next-reported =
    Read the log of the service that reported it.
next-reported-recording =
    Read the log of the service that reported it, and what became of the recording.
    callseal why { $recording }
next-key =
    Look whether the key store answers; recordings wait for the key and are sealed when it is back.
    callseal key check
next-halted =
    Calls are recorded and wait unsealed. Read docs/evidence.md before you change anything in staging.
    callseal log state
next-quota =
    Look which target keeps recordings waiting, or give staging a larger disk. Calls are recorded on.
    callseal targets
    callseal sweep
next-bus =
    Start NATS. Calls are recorded on, into the spool of ingest, until its disk is full.
next-deleting =
    Mend what the text above names; deletions go on by themselves.
    callseal delete list
next-clock =
    Set the clock right if it is wrong. If it is right, nothing is to be done: it is believed a day after the jump.
    callseal delete list
next-astray =
    Look who else writes or deletes there; bring back what is gone from a backup or another target.
    callseal sweep
next-digest =
    callseal targets
next-ends =
    Renew it at the provider, and put the new one into the configuration.
    callseal test-target { $name }
next-signing =
    Have a new certificate issued, or change the key.
    callseal key show

footer = Sent by Callseal. Who gets these mails, and how often: notifications in the configuration (docs/notifications.md).
