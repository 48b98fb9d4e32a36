#!/bin/sh
# Makes caller.al and callee.al anew: two voices of a made-up conversation, raw G.711 A-law, 8 kHz,
# one channel, about 12 s each. The files are committed; run this only to change what is said.
# Needs espeak-ng and sox (Debian packages of these names).
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Fixed noise and pauses, no dither: the same versions of the tools make the same bytes (-R).
speak() { # file voice pitch words-a-minute text
    espeak-ng -v "$2" -p "$3" -s "$4" -w "$scratch/$1.wav" "$5"
}
speak caller1 de+m3 40 150 "Guten Tag, ich möchte mein Depot umschichten und brauche dazu Ihren Rat."
speak caller2 de+m3 40 150 "Ein Drittel in Anleihen, den Rest bitte so lassen. Vielen Dank, auf Wiederhören."
speak callee1 en+f2 60 150 "Good morning, this call is being recorded. How much risk would you like to take?"
speak callee2 en+f2 60 150 "Then I will note a third in bonds. You will receive the written statement tomorrow."

to_alaw() { # side pause-before pause-between
    sox -R -D "$scratch/${1}1.wav" -r 8000 -c 1 "$scratch/${1}1-8k.wav" gain -n -3 pad "$2" "$3"
    sox -R -D "$scratch/${1}2.wav" -r 8000 -c 1 "$scratch/${1}2-8k.wav" gain -n -3 pad 0 0.5
    sox -R -D "$scratch/${1}1-8k.wav" "$scratch/${1}2-8k.wav" -t al "$1.al"
}
to_alaw caller 0.2 1.5
to_alaw callee 1.0 1.2
