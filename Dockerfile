FROM golang:1.26-bookworm AS build
LABEL stage=turnout-build
WORKDIR /src
# All in one step: where the source brings vendor/, nothing is downloaded.
COPY . .
ARG VERSION=
RUN set -e; \
    build() { CGO_ENABLED=0 go build -trimpath -buildvcs=false \
        -ldflags "-s -w ${VERSION:+-X github.com/org/deploy-action/internal/version.Number=$VERSION}" -o "$1" "$2"; }; \
    build /turnout ./cmd/turnout; \
    for arch in amd64 arm64; do GOARCH=$arch build /agents/turnout-agent-linux-$arch ./cmd/turnout-agent; done

# Packed: turnout unpacks what its servers need.
FROM debian:bookworm-slim AS agents
RUN apt-get update && apt-get install --yes --no-install-recommends zstd
LABEL stage=turnout-build
COPY --from=build /agents /agents
RUN zstd --quiet -19 --rm /agents/*

# What stages of a spec expect to find: a shell, git, curl, and apt-get for more.
# turnout itself needs none of it.
FROM debian:bookworm-slim AS tools
# git names perl for commands that nobody gives in a pipeline (send-email, svn,
# add -i of old), and a third of the image would be perl. What else goes is what
# serves repositories, mails patches or fetches packs by their addresses; what makes
# file systems and Debian packages; time zones with leap seconds; encodings of
# mainframes and rare ones of East Asia; documents and translations.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash ca-certificates curl git \
    && sed -i '/^Package: git$/,/^$/ s/, \(perl\|liberror-perl\|git-man ([^)]*)\)//g' /var/lib/dpkg/status \
    && apt-get purge --yes --auto-remove --allow-remove-essential perl perl-modules-5.36 libperl5.36 liberror-perl git-man e2fsprogs libext2fs2 libss2 logsave \
    && cd /usr/lib/git-core && ln -sf ../../bin/git git \
    && rm -rf git-http-push git-imap-send git-http-backend git-daemon git-shell git-instaweb scalar git-http-fetch \
        /usr/bin/scalar /usr/bin/git-shell /usr/share/gitweb /usr/lib/*/gconv/IBM* /usr/lib/*/gconv/EBCDIC* \
        /usr/lib/*/gconv/*CNS* /usr/lib/*/gconv/*HKSCS* /usr/lib/*/gconv/*JISX0213* /usr/lib/*/gconv/*ISO*IR* /usr/lib/*/gconv/ISO-2022-* \
        /usr/lib/*/gconv/EUC-TW* /usr/lib/*/gconv/GBBIG5* \
    && find /usr/share/doc -type f -not -name copyright -delete \
    && find /usr/share/doc -type l -delete \
    && rm -rf /var/lib/dpkg/info/*.symbols /usr/share/zoneinfo/right \
    && rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion \
        /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

# In one layer: what a layer removes still weighs.
FROM scratch
COPY --from=tools / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=build /turnout /usr/local/bin/turnout
COPY --from=agents /agents /usr/local/bin
# An entrypoint of action.yml takes no arguments: the name says which one it is.
RUN ["ln", "-s", "/usr/local/bin/turnout", "/turnout-action"]
RUN ["ln", "-s", "/usr/local/bin/turnout", "/turnout-post"]
# No USER: GitHub mounts the workspace for root and wants container actions to
# run as root.
ENTRYPOINT ["/turnout-action"]
