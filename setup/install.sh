#!/usr/bin/env bash
# install.sh puts turnout into the runner's tool cache and on its PATH. It is the
# step of action.yml, and takes what it needs from the environment:
#
#   SETUP_VERSION     version; empty: the file "version" beside this script
#   SETUP_REPOSITORY  owner/name of the repository whose releases to use
#   GH_TOKEN          for the attestation
#
# and GITHUB_SERVER_URL, RUNNER_OS, RUNNER_ARCH, RUNNER_TEMP, RUNNER_TOOL_CACHE,
# GITHUB_PATH and GITHUB_OUTPUT, as the runner sets them.
#
# The commit of a release has "version" and "checksums.txt" beside this script: who
# pins that commit pins the bytes that are installed. For any other version the
# checksums are the release's own, and so its attestation is asked for as well.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "::error title=turnout was not installed::$1"
  exit 1
}

# platform prints the runner's system and architecture as the releases name them.
platform() {
  case $RUNNER_OS-$RUNNER_ARCH in
    Linux-X64) echo linux-amd64 ;;
    Linux-ARM64) echo linux-arm64 ;;
    macOS-X64) echo darwin-amd64 ;;
    macOS-ARM64) echo darwin-arm64 ;;
    *) return 1 ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# fetch NAME FILE downloads a file of the release. What may pass is tried again.
fetch() {
  local url=$releases/$1 status wait
  for wait in 1 2 4 0; do
    status=$(curl --silent --show-error --fail --location --proto "=${url%%:*},https" --connect-timeout 10 \
      --speed-limit 1024 --speed-time 30 --write-out '%{http_code}' --output "$2" "$url") && return
    case $status in
      408 | 429) ;;
      4*) fail "$url: HTTP $status. Is there a version $version? Releases: ${releases%/download/*}" ;;
    esac
    sleep "$wait"
  done
  fail "$url: four downloads did not end well, the last with HTTP $status (000: none). Run the job again; nothing was changed."
}

# expected NAME prints the SHA-256 that a file of the release must have.
expected() {
  awk -v name="$1" '$2 == name && length($1) == 64 { print $1 }' "$sums"
}

# attested FILE asks GitHub whether the release workflow of the repository made the
# file. A version's own checksums came with the file, and prove nothing about who.
attested() {
  [[ $pinned == no ]] || return 0
  if ! command -v gh >/dev/null || ! gh attestation verify --help >/dev/null 2>&1; then
    echo "::notice title=turnout $version is not attested::The runner has no gh with attestations: SHA-256 was compared with the release's own checksums only."
    return 0
  fi
  gh attestation verify "$1" --repo "$SETUP_REPOSITORY" --signer-workflow "$SETUP_REPOSITORY/.github/workflows/release.yml" >&2
}

# put NAME AS puts a file of the release into the cache, unless it is there.
put() {
  local want got part
  want=$(expected "$1")
  [[ -n $want ]] || fail "The checksums of $version name no $1."
  if [[ -f $cache/$2 && $(sha256 "$cache/$2") == "$want" ]]; then
    return
  fi
  part=$(mktemp "$cache/.$2.XXXXXX")
  trap 'rm -f "$part"' EXIT
  fetch "$1" "$part"
  got=$(sha256 "$part")
  [[ $got == "$want" ]] || fail "$releases/$1 has SHA-256 $got, and it must be $want. It was removed; do not run it."
  attested "$part" || fail "$releases/$1 was not made by the release workflow of $SETUP_REPOSITORY, or GitHub could not be asked. It was removed; do not run it."
  chmod 755 "$part"
  mv -f "$part" "$cache/$2" # at once: another job may start it now
  trap - EXIT
}

own_version=$(cat "$here/version" 2>/dev/null || true)
version=${SETUP_VERSION:-$own_version}
version=${version#v}
[[ -n $version ]] || fail "Give a version: this commit of the action is not that of a release."
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "\"$version\" is no version such as 1.2.3."
platform=$(platform) || fail "turnout is built for Linux and macOS on x64 and arm64, not for $RUNNER_OS on $RUNNER_ARCH."
releases=$GITHUB_SERVER_URL/$SETUP_REPOSITORY/releases/download/v$version
cache=$RUNNER_TOOL_CACHE/turnout/$version/$platform
mkdir -p "$cache"

pinned=no sums=$here/checksums.txt
if [[ $version == "$own_version" ]]; then
  pinned=yes
else
  sums=$(mktemp "$RUNNER_TEMP/turnout-checksums.XXXXXX")
  fetch checksums.txt "$sums"
fi

put "turnout-$platform" turnout
for agent in turnout-agent-linux-amd64 turnout-agent-linux-arm64; do
  put "$agent" "$agent"
done

"$cache/turnout" version
echo "$cache" >>"$GITHUB_PATH"
printf '%s\n' "version=$version" "path=$cache/turnout" >>"$GITHUB_OUTPUT"
