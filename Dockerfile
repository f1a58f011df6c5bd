FROM golang:1.26-bookworm AS build
LABEL stage=turnout-build
WORKDIR /src
# All in one step: where the source brings vendor/, nothing is downloaded.
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w ${VERSION:+-X github.com/org/deploy-action/internal/cli.version=$VERSION}" \
    -o /turnout ./cmd/turnout

FROM debian:bookworm-slim
# What stages of a spec expect to find; turnout itself needs none of it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash ca-certificates curl git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /turnout /usr/local/bin/turnout
# An entrypoint of action.yml takes no arguments: the name says which one it is.
RUN ln -s /usr/local/bin/turnout /turnout-action && ln -s /usr/local/bin/turnout /turnout-post
# No USER: GitHub mounts the workspace for root and wants container actions to
# run as root.
ENTRYPOINT ["/turnout-action"]
