# A static site: nginx serves the files of the slot, and nothing else runs.

variable "host" {
  description = "The server, as SSH reaches it."
}

ssh {
  user   = "deploy"
  become = true # nginx's files belong to root
}

server "vm" {
  host    = var.host
  address = "127.0.0.1" # where nginx, on the same server, finds the slots
}

# Without start: slots.conf has nginx serve both folders, and a request that comes
# after the link has moved finds the new files.
environment "site" {
  servers       = server.vm
  root          = "/srv/site"
  keep_releases = 5

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  health {
    files = ["index.html"]

    http {
      path = "/"
    }
  }

  proxy "nginx" {
    servers = server.vm
    listen  = 80
    config  = "/etc/nginx/conf.d/site.conf"
  }

  watch = "10s"
  drain = "10s"
}

pipeline "release" {
  stage "build" {
    run = "rm -rf dist && cp -R public dist" # hugo, npm run build, …
  }

  stage "links" {
    needs = [stage.build]
    run   = "grep -rhoE 'href=\"[^\":]+\"' dist | cut -d'\"' -f2 | while read -r page; do test -e \"dist/$page\"; done"
  }

  stage "deploy" {
    needs = [stage.links]

    deploy {
      environment = environment.site
      release     = "dist"
    }
  }
}
