#!/usr/bin/env bash
# Makes the built-in announcements in crates/media/announcements from the texts below.
#
# The files are committed; run this after changing a text or a voice. The same versions of the
# programs make the same files. On Debian: apt-get install espeak-ng sox lame
#
# The texts promise nothing but what Callseal does, say what happens before it happens, and name
# the choice. They do not name the purpose or the controller, which differ from one enterprise to
# the next: whoever needs that records announcements of their own.
set -euo pipefail
cd "$(dirname "$0")/../crates/media/announcements"

for program in espeak-ng sox lame; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Mono MP3 at 16 kHz with about 32 kbit/s: more than a telephone carries, and small. Not a constant
# rate: at low ones LAME leaves out the frame that says how long the file is.
compress() {
    lame --quiet -m m --abr 32 -q 2 --noreplaygain "$1" "$2"
}

# speak <language>/<name> <text>: calm, a little below the usual pitch, with 200 ms of silence
# around it so that a packet lost at the beginning takes no syllable along.
speak() {
    local language=${1%%/*} name=${1##*/} voice speed
    case $language in
        de) voice=de speed=145 ;;
        en) voice=en-gb-x-rp speed=150 ;;
        fr) voice=fr-fr speed=145 ;;
    esac
    mkdir -p "$language"
    espeak-ng -v "$voice" -s "$speed" -p 42 -g 2 -w "$work/raw.wav" -- "$2"
    # Trimmed at both ends, without rumble, at −3 dB peak; first down by 6 dB, for the filters overshoot.
    sox -D "$work/raw.wav" -b 16 -r 16000 "$work/speech.wav" \
        gain -6 silence 1 0.01 0.2% reverse silence 1 0.01 0.2% reverse \
        highpass 150 pad 0.2 0.2 gain -n -3
    compress "$work/speech.wav" "$language/$name.mp3"
}

# --- German -------------------------------------------------------------------------------------
speak de/opt-in "Guten Tag. Wir möchten dieses Gespräch aufzeichnen. Wenn Sie damit einverstanden sind, drücken Sie bitte jetzt eine beliebige Taste. Andernfalls wird das Gespräch nicht aufgezeichnet."
speak de/opt-in-1 "Guten Tag. Wir möchten dieses Gespräch aufzeichnen. Wenn Sie damit einverstanden sind, drücken Sie bitte jetzt die Taste eins. Andernfalls wird das Gespräch nicht aufgezeichnet."
speak de/opt-out "Guten Tag. Dieses Gespräch wird aufgezeichnet. Wenn Sie das nicht möchten, drücken Sie bitte jetzt eine beliebige Taste."
speak de/opt-out-1 "Guten Tag. Dieses Gespräch wird aufgezeichnet. Wenn Sie das nicht möchten, drücken Sie bitte jetzt die Taste eins."
speak de/no-choice "Guten Tag. Bitte beachten Sie: Dieses Gespräch wird aufgezeichnet."
speak de/outbound "Guten Tag. Bitte beachten Sie: Dieser Anruf wird aufgezeichnet."
speak de/granted "Vielen Dank. Das Gespräch wird aufgezeichnet."
speak de/denied "Vielen Dank. Das Gespräch wird nicht aufgezeichnet."

# --- English ------------------------------------------------------------------------------------
speak en/opt-in "Hello. We would like to record this call. If you agree, please press any key now. Otherwise, the call will not be recorded."
speak en/opt-in-1 "Hello. We would like to record this call. If you agree, please press one now. Otherwise, the call will not be recorded."
speak en/opt-out "Hello. This call will be recorded. If you do not wish this, please press any key now."
speak en/opt-out-1 "Hello. This call will be recorded. If you do not wish this, please press one now."
speak en/no-choice "Hello. Please note that this call will be recorded."
speak en/outbound "Hello. Please note that this call is being recorded."
speak en/granted "Thank you. This call will be recorded."
speak en/denied "Thank you. This call will not be recorded."

# --- French -------------------------------------------------------------------------------------
speak fr/opt-in "Bonjour. Nous souhaitons enregistrer cet appel. Si vous êtes d'accord, veuillez appuyer maintenant sur une touche quelconque. Sinon, l'appel ne sera pas enregistré."
speak fr/opt-in-1 "Bonjour. Nous souhaitons enregistrer cet appel. Si vous êtes d'accord, veuillez appuyer maintenant sur la touche un. Sinon, l'appel ne sera pas enregistré."
speak fr/opt-out "Bonjour. Cet appel va être enregistré. Si vous ne le souhaitez pas, veuillez appuyer maintenant sur une touche quelconque."
speak fr/opt-out-1 "Bonjour. Cet appel va être enregistré. Si vous ne le souhaitez pas, veuillez appuyer maintenant sur la touche un."
speak fr/no-choice "Bonjour. Veuillez noter que cet appel sera enregistré."
speak fr/outbound "Bonjour. Veuillez noter que cet appel est enregistré."
speak fr/granted "Merci. Cet appel va être enregistré."
speak fr/denied "Merci. Cet appel ne sera pas enregistré."

# --- Any language -------------------------------------------------------------------------------
# Two short soft notes, a fourth apart. Neither is near a frequency of the keypad (ITU-T Q.23), of
# dial or busy tones (ITU-T E.180: 300 to 500 Hz) or of fax (1,100 and 2,100 Hz).
sox -D -n -b 16 -r 16000 "$work/first.wav" synth 0.18 sine 587 fade h 0.02 0.18 0.10 pad 0.1 0.04 vol 0.4
sox -D -n -b 16 -r 16000 "$work/second.wav" synth 0.30 sine 784 fade h 0.02 0.30 0.22 pad 0 0.1 vol 0.4
sox -D "$work/first.wav" "$work/second.wav" "$work/tone.wav"
compress "$work/tone.wav" notice-tone.mp3

du -bc -- *.mp3 */*.mp3 | tail -1
