#!/bin/sh
# Callseal verify.sh: checks recordings with nothing but a POSIX shell, openssl, and sha256sum or
# shasum. Read it before you trust it; a copy that came with an archive is only as good as the archive.
#
#   sh verify.sh [-c CERTIFICATE.pem]... PATH...
#
# PATH is a folder with recordings at any depth, or a file of one recording. Checked are
#   - the files: those that the hash list (_hash.txt) names, exactly these, with these hashes;
#   - the signature over the hash list, by the key of a certificate;
#   - the chain: each recording names the one before it in its lane (tenant and class), and its signature;
#   - _log-proof.txt: that the tenant's transparency log holds this recording (RFC 6962 § 2.1.1), and
#     that the log's key signed that state of the log. The log's key stands in log/<tenant>/keys/, in a
#     statement that the recording's key has signed. Where the archive has that folder, or archive.txt
#     names the tenant, each recording has to have its proof.
# An archive is a folder with archive.txt: each has chains of its own.
#
# With -c these certificates are trusted and no others. Without, those are that lie in the archive or in
# a folder above it: compare the fingerprint that is shown at the end with the one you were given.
#
# One line a recording: "ok", "WRONG" with what is wrong, or "part" with what could not be checked.
# Exit code 0: all good. 1: something is wrong. 2: nothing is wrong, but something could not be checked,
# or there is a hole in a chain, or no recording at all; or wrong usage. Whether what is not here is
# missing, lies elsewhere or was lawfully deleted only the log knows: "callseal verify" reads it.

set -u
LC_ALL=C
export LC_ALL
unset CDPATH
umask 077

nl='
'
tab=$(printf '\t')
uuid='[0-9a-f]\{8\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{12\}'
base_pattern="[0-9]\\{8\\}-[0-9]\\{6\\}\\.[0-9]\\{3\\}Z_[a-z]\\{2,8\\}_[^/]*_$uuid"

# What comes out of an archive must not steer the terminal.
say() { printf '%s\n' "$1" | tr -d '\000-\011\013-\037\177'; }

stop() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

usage() {
  printf 'usage: sh verify.sh [-c CERTIFICATE.pem]... PATH...\n' >&2
  exit 2
}

# ---------------------------------------------------------------- tools

command -v openssl >/dev/null 2>&1 || stop 'openssl is missing'
if command -v sha256sum >/dev/null 2>&1; then
  sums() { sha256sum "$@"; }
elif command -v shasum >/dev/null 2>&1; then
  sums() { shasum -a 256 "$@"; }
else
  stop 'sha256sum or shasum is missing'
fi

# SHA-256 of the input: in hexadecimal, and as 32 bytes.
sha256() { sums | cut -c 1-64; }
sha256_bytes() { openssl dgst -sha256 -binary; }

# Base64 on any number of lines. openssl reads lines of 64 columns in every version; base64 has other
# options on each system.
from_base64() { { tr -d ' \t\r\n' | fold -w 64 && printf '\n'; } | openssl base64 -d 2>/dev/null; }
to_base64() { openssl base64 | tr -d '\n'; }
hex() { od -A n -t x1 | tr -d ' \t\n'; }
first_bytes() { dd bs=1 count="$1" 2>/dev/null; }

is_number() {
  case $1 in
    0) return 0 ;;
    '' | 0* | *[!0-9]*) return 1 ;;
  esac
  [ "${#1}" -le 18 ]
}

is_hex() { # is_hex TEXT LENGTH
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ "${#1}" -eq "$2" ]
}

# The first value of each key in a text of "Key: value" lines, a line each: values FILE KEY...
values() {
  values_of=$1
  shift
  awk '
    BEGIN { wanted = ARGC - 1; for (i = 2; i <= wanted; i++) { name[i] = ARGV[i]; ARGV[i] = "" } }
    { at = index($0, ": "); if (at) { key = substr($0, 1, at - 1); if (!(key in value)) value[key] = substr($0, at + 2) } }
    END { for (i = 2; i <= wanted; i++) print value[name[i]] }
  ' "$values_of" "$@"
}

# Whether this openssl can verify Ed25519 signatures (OpenSSL 3; LibreSSL and 1.1.1 cannot).
if openssl pkeyutl -help 2>&1 | grep -e '-rawin' >/dev/null; then ed25519=yes; else ed25519=no; fi

# ---------------------------------------------------------------- certificates

# Learns the key of a certificate; what is none is no fault. add_certificate FILE
add_certificate() {
  openssl x509 -in "$1" -noout -pubkey >"$tmp/key" 2>/dev/null || return 1
  openssl pkey -pubin -in "$tmp/key" -outform DER >"$tmp/key.der" 2>/dev/null || return 1
  key_id=$(sha256 <"$tmp/key.der")
  cp "$tmp/key" "$tmp/keys/$key_id.pem"
  subject=$(openssl x509 -in "$1" -noout -subject 2>/dev/null)
  fingerprint=$(openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null)
  shown="${subject#subject=}, SHA-256 fingerprint ${fingerprint#*=}"
  grep -F -x -e "$shown" "$tmp/keys/$key_id.txt" >/dev/null 2>&1 || printf '%s\n' "$shown" >>"$tmp/keys/$key_id.txt"
}

# Whether the RSA key signed: signed_by KEY-ID SIGNATURE-FILE FILE. Fails with 2 without its certificate.
signed_by() {
  is_hex "$1" 64 && [ -f "$tmp/keys/$1.pem" ] || return 2
  openssl dgst -sha256 -verify "$tmp/keys/$1.pem" -signature "$2" "$3" >/dev/null 2>&1 || return 1
  : >"$tmp/keys/$1.used"
}

# ---------------------------------------------------------------- one recording

problem() { problems="$problems${problems:+; }$1"; }
unchecked() { missing="$missing${missing:+; }$1"; }

# Whether the recording has a file of this name.
has() { case "$nl$names" in *"$nl$1$nl"*) return 0 ;; *) return 1 ;; esac }

# Only regular files are read: of a pipe or a device one would wait for ever. Others are as good as missing.
leave_out_irregular() {
  regular=''
  while IFS= read -r name; do
    if [ -z "$name" ]; then
      continue
    elif [ -f "$dir/$name" ]; then
      regular=$regular$name$nl
    else
      problem "$name: is no regular file"
    fi
  done <<END
$names
END
  names=$regular
}

# The hash list names exactly the files that are here, and each has that hash.
check_files() {
  list=$dir/$hash_list
  if [ ! -s "$list" ] || [ -n "$(tail -c 1 "$list")" ] || grep '[[:cntrl:]]' "$list" >/dev/null ||
    grep -v '^[0-9a-f]\{64\}  [^/\\]' "$list" >/dev/null || cut -c 67- "$list" | grep '[/\\]' >/dev/null; then
    problem 'the hash list is not in the format of sha256sum'
    return
  fi
  listed=$nl
  audio=no info=no journal=no
  set --
  while IFS= read -r line; do
    name=${line#*  }
    case $name in
      "$base"*) ;;
      *)
        problem "$name: is named in the hash list and is none of this recording's files"
        continue
        ;;
    esac
    case $listed in *"$nl$name$nl"*) problem "$name: stands in the hash list twice" ;; esac
    listed=$listed$name$nl
    case ${name#"$base"} in
      _info.txt) info=yes ;;
      _journal.json) journal=yes ;;
      *.wav | *.ogg) audio=yes ;;
      *) problem "$name: is named in the hash list and is no audio, info or journal file" ;;
    esac
    if has "$name"; then set -- "$@" "$name"; else problem "$name: is missing"; fi
  done <"$list"
  [ "$audio" = yes ] || problem 'the hash list names no audio file'
  [ "$info" = yes ] || problem 'the hash list names no info file (_info.txt)'
  [ "$journal" = yes ] || problem 'the hash list names no journal file (_journal.json)'
  # The same tool wrote this format: if all is well, its output is the list.
  if [ $# -gt 0 ] && [ "$(cd "$dir" && sums "$@" 2>/dev/null)" != "$(cat "$list")" ]; then
    while IFS= read -r line; do
      name=${line#*  }
      has "$name" || continue
      found=$(sha256 2>/dev/null <"$dir/$name")
      if [ -z "$found" ]; then
        problem "$name: cannot be read"
      elif [ "$found" != "${line%%  *}" ]; then
        problem "$name: changed since it was signed"
      fi
    done <"$list"
  fi
  while IFS= read -r name; do
    case $name in
      "$hash_list" | "$signature_file" | "$proof_file" | "$stamp_file" | '') continue ;;
    esac
    case $listed in *"$nl$name$nl"*) ;; *) problem "$name: is not in the hash list" ;; esac
  done <<END
$names
END
}

# The signature over the hash list was made by the key that the info names.
check_signature() {
  from_base64 <"$dir/$signature_file" >"$tmp/signature"
  if [ ! -s "$tmp/signature" ]; then
    problem 'the signature file holds no signature'
    return
  fi
  signed_by "$of_key" "$tmp/signature" "$dir/$hash_list"
  case $? in
    0) ;;
    1) problem 'the signature does not fit to the hash list' ;;
    *) problem "there is no certificate of the key $of_key that signed it" ;;
  esac
}

# ---------------------------------------------------------------- the transparency log

# The proof of inclusion leads from the entry to the root of the checkpoint, and the entry speaks of this
# recording. The proof is taken apart into files: extra, hashes, note, body.
check_proof() {
  : >"$tmp/extra" && : >"$tmp/hashes" && : >"$tmp/note" && : >"$tmp/body"
  number=$(awk -v to="$tmp" '
    NR == 1 { if ($0 != "c2sp.org/tlog-proof@v1") exit; part = "extra"; next }
    part == "extra" && /^extra / { print substr($0, 7) >(to "/extra"); part = "index"; next }
    (part == "extra" || part == "index") && /^index / { number = substr($0, 7); part = "hashes"; next }
    part == "hashes" && $0 == "" { part = "body"; next }
    part == "hashes" { print >(to "/hashes"); next }
    part == "body" && $0 == "" { print >(to "/note"); part = "signatures"; next }
    part == "body" { lines++; print >(to "/body"); print >(to "/note"); next }
    part == "signatures" { print >(to "/note"); next }
    { exit }
    END { if (part == "signatures" && lines == 3) print number }
  ' "$dir/$proof_file")
  { IFS= read -r origin && IFS= read -r size && IFS= read -r root; } <"$tmp/body"
  if ! is_number "$number" || ! is_number "${size:-}" || [ "$number" -ge "$size" ]; then
    problem 'the log proof cannot be read'
    return
  fi
  from_base64 <"$tmp/extra" >"$tmp/entry"
  entry_is_of_this_recording || return
  { printf '\000' && cat "$tmp/entry"; } | sha256_bytes >"$tmp/node"
  # RFC 9162 § 2.1.3.2: upwards from the leaf, with the sibling on its side.
  at=$number last=$((size - 1)) good=yes
  while IFS= read -r sibling; do
    [ "${#sibling}" -eq 44 ] && [ "$last" -gt 0 ] || good=no
    printf '%s\n' "$sibling" | openssl base64 -d >"$tmp/sibling" 2>/dev/null
    if [ $((at % 2)) -eq 1 ] || [ "$at" -eq "$last" ]; then
      { printf '\001' && cat "$tmp/sibling" "$tmp/node"; } | sha256_bytes >"$tmp/parent"
      while [ $((at % 2)) -eq 0 ] && [ "$at" -gt 0 ]; do
        at=$((at / 2)) last=$((last / 2))
      done
    else
      { printf '\001' && cat "$tmp/node" "$tmp/sibling"; } | sha256_bytes >"$tmp/parent"
    fi
    mv "$tmp/parent" "$tmp/node"
    at=$((at / 2)) last=$((last / 2))
  done <"$tmp/hashes"
  if [ "$good" = no ] || [ "$last" -ne 0 ] || [ "$(to_base64 <"$tmp/node")" != "$root" ]; then
    problem 'the log proof does not lead to the root of its checkpoint: proof or entry were changed'
    return
  fi
  check_checkpoint
}

entry_is_of_this_recording() {
  {
    IFS= read -r version && IFS= read -r kind && IFS= read -r of_tenant && IFS= read -r of_recording
    IFS= read -r of_class && IFS= read -r of_position && IFS= read -r of_list && IFS= read -r of_signature
    IFS= read -r of_entry_key
  } <<END
$(values "$tmp/entry" Callseal-Log Kind Tenant Recording Class Position HashList Signature KeyId)
END
  if [ "$version" != 1 ] || [ "$kind" != sealed ] || [ "$of_recording" != "$id" ]; then
    problem 'the log proof is about another entry than the sealing of this recording'
    return 1
  fi
  if [ "$of_list" != "$(sha256 <"$dir/$hash_list")" ] || [ "$of_signature" != "$(sha256 <"$tmp/signature")" ]; then
    problem 'the log knows this recording with another hash list or signature'
    return 1
  fi
  if [ "$of_tenant" != "$tenant" ] || [ "$of_class" != "$class" ] || [ "$of_position" != "$position" ] ||
    [ "$of_entry_key" != "$of_key" ]; then
    problem 'the log knows this recording with another tenant, class, place in the chain or key'
    return 1
  fi
}

# The checkpoint of the proof is signed by the key of this log. Recordings that were sealed together
# share one, so the last good one is remembered.
check_checkpoint() {
  if [ "$checkpoint_of" = "$tenant $dir" ] && cmp -s "$tmp/note" "$tmp/good-note"; then return; fi
  case $tenant in
    '' | .* | *[!0-9A-Za-z._-]*)
      problem 'the tenant has no name that a log can have'
      return
      ;;
  esac
  em_dash=$(printf '\342\200\224')
  awk -v dash="$em_dash" -v origin="$origin" '$1 == dash && $2 == origin && NF == 3 { print $3 }' "$tmp/note" >"$tmp/lines"
  statement=
  while IFS= read -r line; do
    printf '%s\n' "$line" | from_base64 >"$tmp/line"
    log_key=$(first_bytes 4 <"$tmp/line" | hex)
    is_hex "$log_key" 8 || continue
    find_above "$dir" "log/$tenant/keys/$log_key.txt" || continue
    statement=$found
    break
  done <"$tmp/lines"
  if [ ! -s "$tmp/lines" ]; then
    problem 'the checkpoint of the log proof is not signed by its log'
  elif [ -z "$statement" ]; then
    unchecked "the checkpoint of the log proof, because the statement of the log's key (log/$tenant/keys) is not here"
  elif check_statement; then
    tail -c +5 "$tmp/line" >"$tmp/log-signature"
    verify_checkpoint
  fi
}

# Looks for a file in a folder and those above it: find_above FOLDER FILE
find_above() {
  above=$(cd "$1" 2>/dev/null && pwd -P) || return 1
  while :; do
    found=$above/$2
    [ ! -f "$found" ] || return 0
    [ -n "$above" ] || return 1
    above=${above%/*}
  done
}

# In which archive the recording lies: the nearest folder, from its own upwards, with archive.txt or with
# the log of its tenant. Leaves the archive's number, 0 for none, and whether the tenant has a log there.
find_archive() {
  if [ "$archive_of" = "$tenant $dir" ]; then return; fi
  archive_of="$tenant $dir" archive='' has_log=no
  above=$(cd "$dir" 2>/dev/null && pwd -P) || above=''
  while :; do
    here=no
    if [ -f "$above/archive.txt" ]; then
      here=yes
      if grep -F -x -e "Tenant: $tenant" "$above/archive.txt" >/dev/null 2>&1; then has_log=yes; fi
    fi
    case $tenant in
      '' | .* | *[!0-9A-Za-z._-]*) ;;
      *) if [ -d "$above/log/$tenant/keys" ]; then here=yes has_log=yes; fi ;;
    esac
    if [ -z "$archive" ] && [ "$here" = yes ]; then archive=${above:-/}; fi
    [ -n "$above" ] || break
    above=${above%/*}
  done
  archive_number=0
  [ -n "$archive" ] || return 0
  grep -F -x -e "$archive" "$tmp/archives" >/dev/null || printf '%s\n' "$archive" >>"$tmp/archives"
  archive_number=$(grep -n -F -x -e "$archive" "$tmp/archives")
  archive_number=${archive_number%%:*}
}

# The statement is about the key of this log, and the RSA key that it names has signed it. Leaves the
# log's public key in log-key.pem, and its kind.
check_statement() {
  {
    IFS= read -r heading && IFS= read -r stated_origin && IFS= read -r stated_key && IFS= read -r _from &&
      IFS= read -r stated_by
  } <"$statement"
  : >"$tmp/statement-signature"
  if [ -f "$statement.SHA256withRSA.sig" ]; then
    from_base64 <"$statement.SHA256withRSA.sig" >"$tmp/statement-signature" 2>/dev/null
  fi
  signed_by "${stated_by#SignedBy: }" "$tmp/statement-signature" "$statement"
  case $? in
    0) ;;
    1)
      problem "the statement of the log's key is not signed by the key that it names"
      return 1
      ;;
    *)
      unchecked "the checkpoint of the log proof, because there is no certificate of the key that signed the statement of the log's key"
      return 1
      ;;
  esac
  key=${stated_key#LogKey: }
  rest=${key#*+}
  printf '%s\n' "${rest#*+}" | from_base64 >"$tmp/typed"
  tail -c +2 "$tmp/typed" >"$tmp/point"
  key_kind=$(first_bytes 1 <"$tmp/typed" | hex)
  # C2SP signed-note: what the number of a key is made from.
  case $key_kind in
    01) stated_id=$({ printf '%s\n' "${key%%+*}" && cat "$tmp/typed"; } | sha256 | cut -c 1-8) ;;
    *) stated_id=$(sha256 <"$tmp/point" | cut -c 1-8) ;;
  esac
  if [ "$heading" != 'Callseal log key' ] || [ "$stated_origin" != "Origin: $origin" ] ||
    [ "${key%%+*}" != "$origin" ] || [ "${rest%%+*}" != "$log_key" ] || [ "$stated_id" != "$log_key" ]; then
    problem "the statement of the log's key is about another log or key"
    return 1
  fi
  {
    printf '%s\n' '-----BEGIN PUBLIC KEY-----'
    {
      # Ed25519 (RFC 8410 § 4): the SubjectPublicKeyInfo of a bare point.
      [ "$key_kind" != 01 ] || printf '\060\052\060\005\006\003\053\145\160\003\041\000'
      cat "$tmp/point"
    } | openssl base64
    printf '%s\n' '-----END PUBLIC KEY-----'
  } >"$tmp/log-key.pem"
}

verify_checkpoint() {
  case $key_kind in
    01)
      if [ "$ed25519" = no ]; then
        unchecked 'the signature of the checkpoint, because this openssl cannot verify Ed25519: use OpenSSL 3'
        return
      fi
      openssl pkeyutl -verify -pubin -inkey "$tmp/log-key.pem" -rawin -in "$tmp/body" \
        -sigfile "$tmp/log-signature" >/dev/null 2>&1
      ;;
    02)
      openssl dgst -sha256 -verify "$tmp/log-key.pem" -signature "$tmp/log-signature" "$tmp/body" >/dev/null 2>&1
      ;;
    *) false ;;
  esac || {
    problem 'the checkpoint of the log proof is not signed by its log'
    return
  }
  cp "$tmp/note" "$tmp/good-note"
  checkpoint_of="$tenant $dir"
}

# ---------------------------------------------------------------- a recording in one line

check_recording() {
  problems='' missing='' remark='' in_chain=no
  dir=${folder:-/}
  leave_out_irregular
  id=${base##*_}
  hash_list=${base}_hash.txt signature_file=${base}_hash.SHA256withRSA.sig
  proof_file=${base}_log-proof.txt stamp_file=${base}_hash.tsr info_file=${base}_info.txt
  of_recording='' tenant='' class='' position='' of_key='' previous='' previous_signature=''
  if has "$info_file"; then
    {
      IFS= read -r of_recording && IFS= read -r tenant && IFS= read -r class && IFS= read -r position
      IFS= read -r of_key && IFS= read -r previous && IFS= read -r previous_signature
    } <<END
$(values "$dir/$info_file" Recording Tenant Class ChainPosition KeyId PreviousRecording PreviousSignature)
END
  fi
  if has "$hash_list"; then check_files; else problem 'the hash list (_hash.txt) is missing'; fi
  if ! has "$signature_file"; then
    problem 'the signature (_hash.SHA256withRSA.sig) is missing'
  elif has "$hash_list" && has "$info_file"; then
    check_signature
    if [ -z "$problems" ] && [ "$of_recording" != "$id" ]; then problem 'the info speaks of another recording'; fi
  fi
  if [ -z "$problems" ]; then
    # What it says of its place is signed, whatever the log says.
    in_chain=yes
    find_archive
    if has "$proof_file"; then
      check_proof
    elif [ "$has_log" = yes ]; then
      problem 'the log proof (_log-proof.txt) is missing, and the archive has the log of this tenant'
    else
      remark=' (without log proof)'
    fi
  fi
  recordings=$((recordings + 1))
  if [ "$in_chain" = yes ]; then
    signature=$(tr -d ' \t\r\n' <"$dir/$signature_file")
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$archive_number:$tenant/$class" "$position" "$id" \
      "$previous" "$previous_signature" "$signature" "$base" >>"$tmp/chain"
  fi
  if [ -n "$problems" ]; then
    wrong=$((wrong + 1))
    say "WRONG  $base: $problems"
  elif [ -n "$missing" ]; then
    partly=$((partly + 1))
    say "part   $base: not checked: $missing"
  else
    say "ok     $base$remark"
  fi
}

# ---------------------------------------------------------------- the chains

# Each recording follows the one before it, when that is here. Prints a line for each lane of an archive;
# fails with 1 if one is broken, else with 3 if one has a hole.
check_chains() {
  sort -t "$tab" -k 1,1 -k 2,2n -k 3,3 "$tmp/chain" | awk -F '\t' -v archives="$tmp/archives" '
    BEGIN { while ((getline line <archives) > 0) folder[++folders] = line }
    function finish(  colon, number) {
      if (lane == "") return
      colon = index(lane, ":")
      number = substr(lane, 1, colon - 1) + 0
      print "chain  " substr(lane, colon + 1) (folders > 1 && number > 0 ? " in " folder[number] : "") ": " count " recordings, from position " first " to " position
      if (first > 1) print "       " first - 1 " before them are not here"
      printf "%s", notes
    }
    # A copy in another folder.
    $1 == lane && $3 == id && $6 == signature { next }
    $1 != lane { finish(); lane = $1; count = 0; first = $2; position = ""; notes = "" }
    {
      count++
      if (position == "") {
        if ($2 == 1 && $4 != "none") { print "WRONG  " $7 ": is the first of its chain, and names one before it"; bad = 1 }
      } else if ($2 == position) {
        print "WRONG  " $7 ": claims the same place in the chain as " base ": the chain was forked"; bad = 1
      } else if ($2 == position + 1) {
        if ($4 != id || $5 != signature) { print "WRONG  " $7 ": does not continue the chain after " base; bad = 1 }
      } else {
        holes = 1
        notes = notes "       " $2 - position - 1 " from position " position + 1 " are not here or are wrong: callseal verify tells missing from elsewhere and deleted\n"
      }
      position = $2; id = $3; signature = $6; base = $7
    }
    END { finish(); exit bad ? 1 : holes ? 3 : 0 }
  ' >"$tmp/chains"
  chains_are=$?
  say "$(cat "$tmp/chains")"
  return $chains_are
}

# ---------------------------------------------------------------- which files there are

# Files in the folders of recordings that belong to none.
check_strays() {
  sed -n "s|^\\(.*\\)/${base_pattern}[^/]*\$|\\1|p" "$tmp/files" | sort -u >"$tmp/folders"
  grep -v "/${base_pattern}[^/]*\$" "$tmp/files" | sort -u | awk -v folders="$tmp/folders" '
    BEGIN { while ((getline line <folders) > 0) holds[line] = 1 }
    {
      at = length($0)
      while (at > 0 && substr($0, at, 1) != "/") at--
      name = tolower(substr($0, at + 1))
      if (!(substr($0, 1, at - 1) in holds)) next
      if (name ~ /\.(pem|crt)$/ || name ~ /^readme/ || name ~ /^archive( \([0-9]+\))?\.txt$/) next
      if (name ~ /^(verify\.sh|thumbs\.db|desktop\.ini|\.ds_store|\.directory)$/ || name ~ /^\.callseal-.*\.part$/) next
      print
    }
  ' >"$tmp/strays"
  while IFS= read -r stray; do
    strays=$((strays + 1))
    say "WRONG  $stray: belongs to no recording"
  done <"$tmp/strays"
}

# Adds the files of one argument to the list.
add_path() {
  path=$1
  case $path in -*) path=./$path ;; esac
  case $path in */*) ;; *) path=./$path ;; esac
  if [ -d "$path" ]; then
    while :; do case $path in ?*/) path=${path%/} ;; *) break ;; esac; done
    find "$path" ! -type d -print >>"$tmp/files" || unreadable=yes
    [ -z "$(find "$path" -name "*$nl*" 2>/dev/null | head -n 1)" ] || unreadable=yes
  elif [ -f "$path" ]; then
    base=$(printf '%s\n' "$path" | sed -n "s|^.*/\\($base_pattern\\)[^/]*\$|\\1|p")
    [ -n "$base" ] || stop "$1 is neither a folder nor a file of a recording"
    for file in "${path%/*}/$base"*; do printf '%s\n' "$file" >>"$tmp/files"; done
  else
    stop "$1 is not there"
  fi
  [ "$given" = no ] || return
  above=$(cd "${path%/*}" && pwd -P) || return
  [ ! -d "$path" ] || above=$(cd "$path" && pwd -P)
  while [ -n "$above" ]; do
    for file in "$above"/*.pem "$above"/*.crt; do [ ! -f "$file" ] || add_certificate "$file"; done
    above=${above%/*}
  done
}

# ---------------------------------------------------------------- all of it

tmp=$(mktemp -d "${TMPDIR:-/tmp}/callseal-verify.XXXXXX") || stop 'no temporary folder can be made'
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
mkdir "$tmp/keys"
: >"$tmp/files" && : >"$tmp/chain" && : >"$tmp/archives"

given=no unreadable=no checkpoint_of='' archive_of=''
recordings=0 wrong=0 partly=0 strays=0
while getopts c: option; do
  case $option in
    c)
      given=yes
      add_certificate "$OPTARG" || stop "$OPTARG is no certificate"
      ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
for argument; do add_path "$argument"; done
if [ "$given" = no ]; then
  grep -e '\.pem$' -e '\.crt$' "$tmp/files" >"$tmp/certificates"
  while IFS= read -r file; do [ ! -f "$file" ] || add_certificate "$file"; done <"$tmp/certificates"
fi

# By base name, so by time: base name, folder and name of each file.
sed -n "s|^\\(.*\\)/\\($base_pattern\\)\\([^/]*\\)\$|\\2/\\1/\\2\\3|p" "$tmp/files" | sort -u >"$tmp/recordings"
[ -s "$tmp/recordings" ] || stop 'there is no recording in what was given'
current=''
while IFS= read -r next <&3; do
  if [ "${next%/*}" != "$current" ]; then
    [ -z "$current" ] || check_recording
    current=${next%/*}
    base=${current%%/*} folder=${current#*/} names=''
  fi
  names=$names${next##*/}$nl
done 3<"$tmp/recordings"
check_recording
check_strays
broken=0 holes=0
if [ -s "$tmp/chain" ]; then
  check_chains
  case $? in
    0) ;;
    3) holes=1 ;;
    *) broken=1 ;;
  esac
fi
[ "$unreadable" = no ] || say 'WRONG  not every folder and name could be read'

for key in "$tmp"/keys/*.used; do
  [ -f "$key" ] || continue
  while IFS= read -r line; do say "certificate: $line"; done <"${key%.used}.txt"
  [ "$given" = yes ] || say '             found beside the archive: compare the fingerprint with the one you were given'
done
if [ "$wrong" -gt 0 ] || [ "$strays" -gt 0 ] || [ "$broken" -gt 0 ] || [ "$unreadable" = yes ]; then
  say "$recordings recordings verified: SOMETHING IS WRONG: $wrong recordings, $strays files that belong to no recording; see WRONG above"
  exit 1
fi
doubt=''
[ "$partly" -eq 0 ] || doubt="of $partly not everything could be checked"
if [ "$holes" -eq 1 ]; then
  doubt="${doubt:+$doubt, and }a chain has holes (see above), of which only the log knows whether something is missing: use callseal verify"
fi
if [ -n "$doubt" ]; then
  say "$recordings recordings verified: nothing is wrong, but $doubt"
  exit 2
fi
say "$recordings recordings verified: all good"
