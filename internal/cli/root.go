package cli

const rootHelp = `Usage: turnout COMMAND [options]

Zero-downtime deploys to your own servers: one HCL spec, nginx, HAProxy or an AWS
load balancer in front, blue/green slots, back by itself when health or traffic
says so.

Commands:
  init        write a working deploy.hcl and a workflow
  validate    find every mistake of a spec
  fmt         rewrite specs in the canonical layout
  plan        show what a run would do
  run         run a pipeline
  task        run a task on servers
  deploy      deploy one environment
  promote     end a canary: all traffic to the new release
  abort       end a canary: all traffic to the old release
  rollback    go back to an earlier release
  recover     settle what an interrupted run left
  status      show what serves now
  lock        show who deploys now
  history     list past deploys
  report      write the report of a run again
  artifacts   list and get what runs have kept
  servers     check servers, list their host keys
  render      write the proxy configurations into a directory
  export      print the spec with everything filled in
  version     print the version
  completion  print a completion script for bash, zsh, fish or pwsh

Global options, before or after the command:
  -chdir DIR  change to DIR first; relative paths begin there
  -no-color   no colour, also NO_COLOR=1

"turnout COMMAND -h" explains a command.

Example:
  turnout init && turnout plan && turnout run
` + exitCodes
