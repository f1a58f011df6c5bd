#!/usr/bin/env bash
# release.sh check VERSION           may this commit become that release?
# release.sh notes VERSION           what CHANGELOG.md says of it
# release.sh collect                 put what goreleaser has built into dist/upload, by the
#                                    names that people download, and check it
# release.sh tag VERSION IMAGE SUMS  commit and tag it here: the action runs IMAGE,
#                                    and setup installs what the file SUMS names
#
# The tag's commit is a child of the one that everything was built from, as no commit
# can name the digest of an image that is built from it.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

binaries=(turnout-{linux,darwin}-{amd64,arm64} turnout-agent-linux-{amd64,arm64})

fail() {
  echo "release.sh: $*" >&2
  exit 1
}

check() {
  [[ $1 =~ ^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$ ]] || fail "\"$1\" is no version such as 1.2.3 or 1.2.3-rc.1"
  grep -q "^	Number = \"$1\"\$" internal/version/version.go || fail "internal/version/version.go has another version than $1"
  [[ -n $(notes "$1") ]] || fail "CHANGELOG.md has no section \"## $1\", or nothing in it; is it still marked as unreleased?"
  ! git rev-parse --quiet --verify "refs/tags/v$1" >/dev/null || fail "the tag v$1 is there already"
  [[ -z $(git status --porcelain) ]] || fail "there are changes that are not committed"
}

notes() {
  awk -v heading="## $1" '/^## / { on = $0 == heading; next } on' CHANGELOG.md | sed '/./,$!d'
}

collect() {
  local name program
  mkdir -p dist/upload
  for name in "${binaries[@]}"; do
    program=${name%-*-*}
    cp dist/"$program"_"$(tr - _ <<<"${name#"$program-"}")"_*/"$program" "dist/upload/$name"
  done
  cp dist/checksums.txt dist/*.cdx.json dist/upload/
  (cd dist/upload && sha256sum --check --strict checksums.txt)
}

tag() {
  local version=$1 image=$2 sums=$3 name
  check "$version"
  [[ $image =~ ^[a-z0-9./-]+@sha256:[0-9a-f]{64}$ ]] || fail "\"$image\" is no image by its digest"
  for name in "${binaries[@]}"; do
    grep -E "^[0-9a-f]{64}  $name\$" "$sums" || fail "$sums names no $name"
  done >setup/checksums.txt
  echo "$version" >setup/version
  grep -q '^  image: "Dockerfile"$' action.yml || fail "action.yml does not build the Dockerfile"
  sed -i "s|^  image: \"Dockerfile\"\$|  image: \"docker://$image\"|" action.yml
  git add action.yml setup/version setup/checksums.txt
  git commit --quiet --message "release: $version"
  git tag --annotate --message "Turnout $version" "v$version"
}

case ${1:-}-$# in
  check-2 | notes-2 | collect-1 | tag-4) "$@" ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
