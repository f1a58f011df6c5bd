#!/usr/bin/env bash
# hosts.sh start|stop|status ... runs six hosts to try things on: see its own help.
exec "$(dirname "$0")/../internal/hosttest/hosts.sh" "$@"
