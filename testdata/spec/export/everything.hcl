turnout {
  required_version = ">= 0.1"
}

variable "pager_token" {
  type      = string
  sensitive = true
}

ssh {
  user            = "deploy"
  port            = 22
  private_key     = env("SSH_PRIVATE_KEY")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  become          = false
  connect_timeout = "10s"
}

server "edge01" {
  host            = "edge01.example.com"
  address         = "edge01.example.com"
  tags            = ["edge"]
  connection      = "ssh"
  user            = "deploy"
  port            = 22
  private_key     = env("SSH_PRIVATE_KEY")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  become          = false
  connect_timeout = "10s"
}

server "web01" {
  host            = "web01.example.com"
  address         = "10.0.1.11"
  tags            = ["web", "frontend"]
  connection      = "ssh"
  user            = "deploy"
  port            = 22
  private_key     = env("SSH_PRIVATE_KEY")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  become          = false
  connect_timeout = "10s"
}

server "web02" {
  host            = "web02.example.com"
  address         = "10.0.1.12"
  tags            = ["web", "frontend"]
  connection      = "ssh"
  user            = "deploy"
  port            = 22
  private_key     = env("SSH_PRIVATE_KEY")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  become          = false
  connect_timeout = "10s"
}

server "db01" {
  host            = "db01.example.com"
  address         = "db01.example.com"
  tags            = ["database", "backend"]
  connection      = "ssh"
  user            = "postgres"
  port            = 22
  private_key     = env("SSH_PRIVATE_KEY")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  become          = false
  connect_timeout = "10s"
}

server "here" {
  address    = "127.0.0.1"
  connection = "local"
}

group "web" {
  servers = [server.web01, server.web02]
}

group "all" {
  servers = [server.edge01, server.web01, server.web02, server.db01]
}

group "edge" {
  servers = [server.edge01]
}

task "update_packages" {
  target     = [server.edge01, server.web01, server.web02, server.db01]
  run        = "sudo apt-get -y upgrade"
  strategy   = "rolling"
  batch      = "25%"
  pause      = "5s"
  on_failure = "stop"
  timeout    = "10m"
}

environment "shop" {
  servers       = [server.web01, server.web02]
  root          = "/srv/shop"
  state_dir     = "/var/lib/turnout/shop"
  keep_releases = 3
  shared        = ["uploads", "config/secrets.env"]
  start         = "sudo systemctl restart shop@${slot.name}"
  stop          = "sudo systemctl stop shop@${slot.name}"
  drain         = "30s"
  watch         = "30s"
  probe         = 20
  keep_previous = "warm"
  lock_timeout  = "15m"
  start_timeout = "1m"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    servers   = [server.edge01]
    listen    = 80
    hostname  = "shop.example.com"
    config    = "/etc/nginx/conf.d/shop.conf"
    main      = "/etc/nginx/nginx.conf"
    error_log = "/var/log/nginx/error.log"
  }

  health {
    files         = ["index.html", "app.js", "config.json"]
    tcp           = false
    run           = "./bin/selfcheck"
    interval      = "1s"
    timeout       = "2s"
    healthy_after = 3
    deadline      = "1m"

    http {
      path        = "/healthz"
      host        = "shop.example.com"
      status      = [200]
      body        = "\"ok\""
      max_latency = "500ms"
    }
  }
}

pipeline "release" {
  max_parallel = 4
  fail_fast    = false

  stage "checkout" {
    type       = "source"
    run        = "git fetch --depth=1 origin ${github.sha} && git checkout ${github.sha}"
    timeout    = "1m"
    on_failure = "stop"

    retry {
      attempts    = 1
      backoff     = "5s"
      backoff_max = "0s"
    }
  }

  stage "build" {
    type       = "build"
    needs      = [stage.checkout]
    run        = "npm ci && npm run build"
    timeout    = "3m"
    on_failure = "stop"
  }

  stage "test" {
    type  = "test"
    needs = [stage.build]
    matrix = {
      suite = ["unit", "integration"]
    }
    run        = "npm run test:${matrix.suite}"
    timeout    = "5m"
    on_failure = "stop"
  }

  stage "security_scan" {
    type       = "security"
    needs      = [stage.build]
    run        = "npm audit --audit-level=high"
    timeout    = "5m"
    on_failure = "continue"
  }

  stage "deploy" {
    type       = "deploy"
    needs      = [stage.test, stage.security_scan]
    when       = github.ref == "refs/heads/main"
    timeout    = "30m"
    on_failure = "stop"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = false
        deadline       = "15m"

        step {
          weight = 10
          hold   = "2m"
        }

        step {
          weight = 50
          hold   = "5m"
        }

        analysis {
          source            = "proxy"
          interval          = "10s"
          min_requests      = 50
          max_error_rate    = 1
          max_latency_ratio = 1.5
          failures          = 2
          on_insufficient   = "abort"
        }
      }
    }
  }

  stage "warm_cache" {
    needs      = [stage.deploy]
    task       = task.update_packages
    on_failure = "stop"
  }

  artifact "app" {
    path     = ["dist"]
    keep     = 5
    required = false
  }

  rollback "shop" {
    when    = failed(stage.deploy) || failed(stage.warm_cache)
    timeout = "5m"

    deploy {
      environment = environment.shop
    }
  }

  rollback "page" {
    when    = failed()
    run     = "curl -fsS -H 'Authorization: Bearer ${var.pager_token}' https://pager.example.com/alert"
    timeout = "5m"
  }
}

preview "shop" {
  server        = server.web02
  root          = "/srv/previews/${preview.name}"
  hostname      = "pr-${github.pull_request}.preview.example.com"
  ports         = "20000-20999"
  start         = "systemd-run --unit=${preview.name} --setenv=PORT=${preview.port} ./bin/serve"
  stop          = "systemctl stop ${preview.name}"
  ttl           = "7d"
  max           = 20
  state_dir     = "/var/lib/turnout/previews/shop"
  start_timeout = "1m"

  health {
    tcp           = true
    interval      = "1s"
    timeout       = "2s"
    healthy_after = 3
    deadline      = "1m"
  }

  proxy "nginx" {
    servers    = [server.edge01]
    listen     = 443
    config_dir = "/etc/nginx/conf.d"
    main       = "/etc/nginx/nginx.conf"
    error_log  = "/var/log/nginx/error.log"

    tls {
      certificate = "/etc/ssl/preview.pem"
      key         = "/etc/ssl/preview.key"
      http2       = true
    }
  }
}
