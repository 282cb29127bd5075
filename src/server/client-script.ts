/**
 * `/client/<channel>`, `/client/class/<class>`: a POSIX shell script that puts a machine on a channel, or takes it off again.
 *
 * It needs what every Debian has: sh, coreutils, sed, grep, and apt-helper, which fetches the key and compares it with
 * the digest in the script. Values enter it in single quotes or in quoted here-documents, so that none is read as
 * shell. Sources files are switched off by the suffix `.disabled`, one of those that apt passes over in silence
 * (Dir::Ignore-Files-Silently); which ones stands in the head of our sources file, and `--undo` reads it there.
 */
import { titleOf } from '../channels/channel-table.ts'
import { KEYRING_PACKAGE } from '../channels/keyring-package.ts'
import { type ClientSetup, clientSetup, fileWord } from './client-setup.ts'

export { type ClientSetup, clientSetup }

/** The script's text. */
export function renderClientScript(setup: ClientSetup): string {
  return [head(setup), settings(setup), TOOLS, UNDO, install(setup), MAIN].join('\n')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function head({ channel, scriptUrl }: ClientSetup): string {
  const title = titleOf(channel)
  const file = `/tmp/sluice-${fileWord(channel)}`
  return `#!/bin/sh
# Puts this machine on the ${title} of Sluice. Read it, then run it there as root:
#   /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file ${scriptUrl} ${file}
#   sh ${file} [--replace]    --replace switches off the sources that the channel stands for
#   sh ${file} --undo         removes what this script wrote, and puts back what it switched off
# With --root DIR (or SLUICE_ROOT=DIR) it does so for the system below DIR.
# What the key is trusted by is the digest below: the server's terminal printed it, and so does
#   sluice ${title.replace(' ', ' show ')}
set -eu
`
}

function settings(setup: ClientSetup): string {
  return `channel=${quote(setup.channel)}
key_url=${quote(setup.keyUrl)}
key_sha256=${quote(setup.keySha256)}
key=${quote(setup.keyPath)}
keyring_url=${quote(setup.keyring?.url ?? '')}
keyring_sha256=${quote(setup.keyring?.sha256 ?? '')}
sources=/etc/apt/sources.list.d/sluice.sources
root=\${SLUICE_ROOT:-}
replace=no
undo=no
`
}

const TOOLS = `say() { printf '%s\\n' "$*"; }
fail() {
  printf 'sluice: error: %s\\n' "$1" >&2
  [ -z "\${2:-}" ] || printf 'sluice: hint: %s\\n' "$2" >&2
  exit 1
}
# The files that our sources file says were switched off.
switched_off() {
  [ ! -f "$root$sources" ] || sed -n 's/^# switched off: //p' "$root$sources"
}
# Whether a sources file has an entry that apt uses.
is_active() {
  case $1 in
    *.sources) grep -qi '^types:' "$1" ;;
    *) grep -Eq '^[[:space:]]*deb(-src)?[[:space:]]' "$1" ;;
  esac
}
`

const UNDO = `undo() {
  [ -f "$root$sources" ] || fail "$root$sources is not there: nothing to undo"
  if [ -f "$root/var/lib/dpkg/status" ] && dpkg-query \${root:+"--root=$root"} --status ${KEYRING_PACKAGE} >/dev/null 2>&1; then
    dpkg \${root:+"--root=$root"} --purge ${KEYRING_PACKAGE} >/dev/null 2>&1 || fail '${KEYRING_PACKAGE} could not be removed' 'nothing was changed'
    say 'removed  the package ${KEYRING_PACKAGE}'
  fi
  switched_off | while IFS= read -r file; do
    if [ -e "$root$file" ]; then
      say "left     $file.disabled: there is a $file again"
    elif [ -e "$root$file.disabled" ]; then
      mv -- "$root$file.disabled" "$root$file"
      say "back     $file"
    fi
  done
  keys=$(sed -n 's|^Signed-By: \\(/etc/apt/keyrings/sluice-[a-z0-9._+-]*\\.asc\\)$|\\1|p' "$root$sources" | sort -u)
  for file in $keys "$sources"; do
    rm -f -- "$root$file"
    say "removed  $file"
  done
  say 'next     apt-get update'
}
`

function install(setup: ClientSetup): string {
  const end = 'END_OF_SOURCES'
  const old = setup.oldFiles.map((file) => `  say ${quote(file)}`).join('\n') || '  :'
  return `write_sources() {
  cat <<'${end}'
${setup.sources.replace(/\n+$/, '')}
${end}
}
# What the machine that the channel was made on had its sources in.
old_files() {
${old}
}
fetch_key() {
  helper=/usr/lib/apt/apt-helper
  [ -x "$helper" ] || fail "$helper is not there" 'this needs apt 1.1 or later'
  work=$(mktemp -d)
  trap 'rm -rf -- "$work"' EXIT
  trap 'exit 130' INT TERM
  "$helper" -o APT::Sandbox::User=root download-file "$key_url" "$work/key" "SHA256:$key_sha256" >"$work/log" 2>&1 || {
    sed 's/^/  /' "$work/log" >&2
    fail "the key could not be had from $key_url, or is not the one with SHA-256 $key_sha256" 'nothing was changed'
  }
}
# The same key, as the file of a package: its next one comes with an upgrade.
install_keyring() {
  [ -n "$keyring_url" ] && [ -f "$root/var/lib/dpkg/status" ] || return 0
  if
    "$helper" -o APT::Sandbox::User=root download-file "$keyring_url" "$work/keyring.deb" "SHA256:$keyring_sha256" >"$work/log" 2>&1 &&
      dpkg \${root:+"--root=$root"} --install "$work/keyring.deb" >>"$work/log" 2>&1
  then
    say 'package  ${KEYRING_PACKAGE}: new keys come with upgrades'
  else
    sed 's/^/  /' "$work/log" >&2
    say 'left     the package ${KEYRING_PACKAGE} is not installed; later: apt-get install ${KEYRING_PACKAGE}'
  fi
}
install_channel() {
  fetch_key
  mkdir -p -- "$root/etc/apt/keyrings" "$root/etc/apt/sources.list.d"
  chmod 755 "$root/etc/apt/keyrings"
  switched_off >"$work/off"
  if [ "$replace" = yes ]; then old_files | while IFS= read -r file; do
    [ -f "$root$file" ] && is_active "$root$file" || continue
    [ ! -e "$root$file.disabled" ] || fail "$root$file.disabled is there already" 'move it out of the way'
    grep -Fqx -- "$file" "$work/off" || printf '%s\\n' "$file" >>"$work/off"
  done; fi
  { sed 's/^/# switched off: /' "$work/off"; write_sources; } >"$work/sources"
  chmod 644 "$work/key" "$work/sources"
  # cp, then mv: the files may lie on another file system than the temporary folder.
  cp -- "$work/key" "$root$key.new" && mv -- "$root$key.new" "$root$key"
  cp -- "$work/sources" "$root$sources.new" && mv -- "$root$sources.new" "$root$sources"
  say "wrote    $key"
  say "wrote    $sources"
  install_keyring
  while IFS= read -r file; do
    [ -f "$root$file" ] || continue
    [ ! -e "$root$file.disabled" ] || continue
    mv -- "$root$file" "$root$file.disabled"
    say "off      $file (now $file.disabled)"
  done <"$work/off"
  name_others
  say 'next     apt-get update'
}
# Sources that stay active beside the channel.
name_others() {
  for file in "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*.list "$root"/etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && [ "$file" != "$root$sources" ] && is_active "$file" || continue
    file=\${file#"$root"}
    if old_files | grep -Fqx -- "$file"; then
      say "active   $file: the channel stands for it; off with --replace, or: mv $file $file.disabled"
    else
      say "active   $file: not of this channel, left alone"
    fi
  done
}
`
}

const MAIN = `while [ $# -gt 0 ]; do
  case $1 in
    --replace) replace=yes ;;
    --undo) undo=yes ;;
    --root) [ $# -gt 1 ] || fail '--root wants a folder'; root=$2; shift ;;
    --root=*) root=\${1#--root=} ;;
    -h | --help) sed -n '2,/^set -eu/s/^# \\{0,1\\}//p' "$0"; exit 0 ;;
    *) fail "unknown option: $1" 'there are --replace, --undo and --root DIR' ;;
  esac
  shift
done
root=\${root%/}
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail 'this needs root' "sudo sh $0"
if [ "$undo" = yes ]; then undo; else install_channel; fi
`
