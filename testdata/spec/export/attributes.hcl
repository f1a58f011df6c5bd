turnout {
  required_version = ">= 0.1, < 2"
}

variable "suffix" {
  description = "Added to names."
  type        = string
  default     = "x"
  sensitive   = false

  validation {
    condition = (
      strlen(var.suffix) < 10 &&
      var.suffix != "no"
    )
    error_message = "The suffix ${var.suffix} is too long."
  }
}

variable "token" {
  type      = string
  sensitive = true
}

locals {
  app    = "shop-x"
  hosts  = toset(["b", "a", "b"])
  labels = ["SMALL"]
  looks = {
    expression = "like one"
  }
  version = trimspace(file("ok/name.txt"))
}

ssh {
  user            = "deploy"
  port            = 2222
  private_key     = env("SSH_PRIVATE_KEY")
  passphrase      = var.token
  identity_file   = "~/.ssh/id_ed25519"
  certificate     = "ssh-ed25519-cert-v01@openssh.com AAAA"
  known_hosts     = <<-EOT
    web01 ssh-ed25519 AAAA
    web02 ssh-ed25519 BBBB
  EOT
  fingerprint     = "SHA256:CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  via             = server.bastion
  become          = true
  agent           = "/usr/local/bin/turnout"
  connect_timeout = "1m30s"
}

server "bastion" {
  host            = "bastion.example.com"
  address         = "bastion.example.com"
  connection      = "ssh"
  user            = "deploy"
  port            = 2222
  private_key     = env("SSH_PRIVATE_KEY")
  passphrase      = var.token
  identity_file   = "~/.ssh/id_ed25519"
  certificate     = "ssh-ed25519-cert-v01@openssh.com AAAA"
  known_hosts     = <<-EOT
    web01 ssh-ed25519 AAAA
    web02 ssh-ed25519 BBBB
  EOT
  fingerprint     = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  become          = false
  agent           = "/usr/local/bin/turnout"
  connect_timeout = "1m30s"
}

server "web" {
  host            = "web.example.com"
  address         = "10.0.0.1"
  tags            = ["web"]
  connection      = "ssh"
  user            = "ops"
  port            = 22
  private_key     = env("OTHER_KEY")
  passphrase      = env("OTHER_PHRASE")
  identity_file   = "key"
  certificate     = env("SSH_CERTIFICATE")
  known_hosts     = env("SSH_KNOWN_HOSTS")
  fingerprint     = "SHA256:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  via             = server.bastion
  become          = false
  agent           = "/opt/turnout"
  connect_timeout = "1.5s"
}

server "local" {
  address    = "127.0.0.1"
  tags       = ["web", "here"]
  connection = "local"
}

group "all" {
  servers = [server.web, server.local, server.bastion]
}

group "web" {
  servers = [server.web, server.local]
}

task "patch" {
  target = [server.web, server.local, server.bastion]
  run    = <<-EOT
    set -eu
    if [ "$${HOME}" = / ]; then
    	echo "100%% %%{ no }"  
    fi

    uname -a
  EOT
  env = {
    LANG  = "C"
    TOKEN = var.token
  }
  strategy     = "rolling"
  batch        = 3
  pause        = "1m"
  on_failure   = "stop"
  max_failures = "25%"
  timeout      = "1d"

  retry {
    attempts    = 2
    backoff     = "1s"
    backoff_max = "10s"
  }
}

environment "shop" {
  servers       = [server.local]
  root          = "/srv/shop"
  state_dir     = "/srv/state"
  keep_releases = 5
  shared        = ["uploads"]
  start         = "systemctl start ${local.app}@${slot.name} ${join(",", local.labels)} ${join(",", local.hosts)} ${jsonencode(local.looks)}"
  stop          = "systemctl stop ${local.app}@${slot.name}"
  logs          = "journalctl -n 50 -u ${local.app}@${slot.name}"
  drain         = "1h30m"
  watch         = "0s"
  probe         = 0
  keep_previous = "stop"
  lock_timeout  = "2m30s"
  start_timeout = "45s"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    socket = "/run/shop/green.sock"
  }

  proxy "nginx" {
    servers    = [server.local]
    listen     = "127.0.0.1:8080"
    hostname   = "shop.example.com"
    config     = "/etc/nginx/conf.d/shop.conf"
    main       = "/etc/nginx/main.conf"
    error_log  = "/var/log/error.log"
    access_log = "/var/log/shop.log"
    template   = "shop.tmpl"
    container  = "edge"
    check      = "true"
    reload     = "echo ${env("HOME")}"

    tls {
      certificate = "/etc/ssl/shop.pem"
      key         = "/etc/ssl/shop.key"
      http2       = false
      redirect    = 80
    }
  }

  proxy "haproxy" {
    servers   = [server.local]
    listen    = 81
    hostname  = "*.example.com"
    config    = "/etc/haproxy/shop.cfg"
    main      = "/etc/haproxy/main.cfg"
    socket    = "/run/admin.sock"
    template  = "shop.cfg.tmpl"
    container = "edge"
    check     = "true"
    reload    = "true"

    tls {
      certificate = "/etc/ssl/shop.pem"
      http2       = false
      redirect    = 80
    }
  }

  health {
    files         = ["index.html"]
    tcp           = true
    run           = "./check ${slot.port}"
    interval      = "2s"
    timeout       = "1s"
    healthy_after = 2
    deadline      = "30s"

    http {
      path        = "/up"
      host        = "shop.example.com"
      status      = [200, 204]
      body        = "^ok {2}$"
      max_latency = "250ms"
    }
  }
}

environment "cloud" {
  servers       = [server.web, server.bastion]
  root          = "/srv/cloud"
  state_dir     = "/var/lib/turnout/cloud"
  keep_releases = 3
  drain         = "30s"
  watch         = "30s"
  probe         = 20
  keep_previous = "warm"
  lock_timeout  = "15m"
  start_timeout = "1m"

  slot "a" {
    port = 9081
  }

  slot "b" {
    port = 9082
  }

  proxy "aws_elb" {
    servers  = [server.local]
    hostname = "elb.example.com"
    rule_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
    target_groups = {
      a = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-a/73e2d6bc24d8a067"
      b = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-b/73e2d6bc24d8a068"
    }
    instances = {
      bastion = "i-0123456789abcdef1"
      web     = "i-0123456789abcdef0"
    }
    endpoint = "https://vpce-1.elasticloadbalancing.eu-central-1.vpce.amazonaws.com"
  }

  proxy "aws_elb" {
    servers      = [server.local]
    listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
    target_groups = {
      a = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-a/73e2d6bc24d8a067"
      b = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-b/73e2d6bc24d8a068"
    }
  }

  health {
    tcp           = true
    interval      = "1s"
    timeout       = "2s"
    healthy_after = 3
    deadline      = "1m"
  }
}

pipeline "release" {
  max_parallel = 2
  fail_fast    = true

  stage "build" {
    type = "build"
    when = var.suffix != ""
    run  = "make VERSION=${local.version}"
    env = {
      EVENT    = github.event_name
      LITERAL  = "$${HOME}"
      QUESTION = "a\r\nb "
    }
    dir        = "app"
    timeout    = "1m30s"
    on_failure = "ignore"

    retry {
      attempts    = 1
      backoff     = "0s"
      backoff_max = "0s"
    }
  }

  stage "test" {
    needs = [stage.build]
    matrix = {
      n     = ["1", "2"]
      suite = ["unit", "integration"]
    }
    run        = "make test SUITE=${matrix.suite} TAG=${stage.build.outputs.tag}"
    timeout    = "5m"
    on_failure = "stop"
  }

  stage "patch" {
    needs      = [stage.test]
    task       = task.patch
    on_failure = "stop"
  }

  stage "deploy" {
    needs      = [stage.patch]
    timeout    = "35m"
    on_failure = "stop"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true
        deadline       = "20m"
        synthetic      = 3
        synthetic_path = "/up"

        step {
          weight = 5
          hold   = "10s"
        }

        analysis {
          source            = "proxy"
          interval          = "5s"
          min_requests      = 10
          max_error_rate    = 0.5
          max_latency_ratio = 2
          failures          = 3
          on_insufficient   = "promote"
        }
      }
    }
  }

  stage "redeploy" {
    needs      = [stage.deploy]
    timeout    = "30m"
    on_failure = "stop"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true
        deadline       = "15m"

        step {
          weight = 10
          hold   = "30s"
        }

        step {
          weight = 30
          hold   = "30s"
        }

        step {
          weight = 50
          hold   = "30s"
        }

        step {
          weight = 70
          hold   = "30s"
        }

        step {
          weight = 90
          hold   = "30s"
        }

        analysis {
          source          = "run"
          run             = "./ask-metrics"
          interval        = "10s"
          failures        = 2
          on_insufficient = "abort"
        }
      }
    }
  }

  stage "measured" {
    needs      = [stage.redeploy]
    timeout    = "30m"
    on_failure = "stop"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true
        deadline       = "15m"

        step {
          weight = 10
          hold   = "30s"
        }

        step {
          weight = 30
          hold   = "30s"
        }

        step {
          weight = 50
          hold   = "30s"
        }

        step {
          weight = 70
          hold   = "30s"
        }

        step {
          weight = 90
          hold   = "30s"
        }

        analysis {
          source          = "prometheus"
          interval        = "30s"
          failures        = 2
          on_insufficient = "abort"

          prometheus {
            address = "https://prometheus.example.com/main"
            token   = env("PROMETHEUS_TOKEN")

            metric "error_percent" {
              query     = "100 * errors:rate1m{slot=\"${slot.name}\", release=\"${slot.release}\"}"
              max       = 1
              max_ratio = 1.5
            }

            metric "requests" {
              query     = "sum(increase(requests_total{slot=\"${slot.name}\"}[${interval}]))"
              min       = 0
              min_ratio = 0.001
              enough    = 50
            }
          }
        }
      }
    }
  }

  stage "by_password" {
    needs      = [stage.measured]
    timeout    = "30m"
    on_failure = "stop"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true
        deadline       = "15m"

        step {
          weight = 10
          hold   = "30s"
        }

        step {
          weight = 30
          hold   = "30s"
        }

        step {
          weight = 50
          hold   = "30s"
        }

        step {
          weight = 70
          hold   = "30s"
        }

        step {
          weight = 90
          hold   = "30s"
        }

        analysis {
          source          = "prometheus"
          interval        = "1m"
          failures        = 2
          on_insufficient = "abort"

          prometheus {
            address  = "http://127.0.0.1:9090"
            username = "turnout"
            password = env("OTHER_PHRASE")

            metric "p95" {
              query = "p95{slot=\"${slot.name}\"}"
              max   = 0.5
            }
          }
        }
      }
    }
  }

  artifact "app" {
    path     = ["dist/**", "!dist/**/*.map"]
    keep     = 2
    required = true
    when     = failed() || cancelled()
  }

  rollback "undo" {
    when    = failed(stage.deploy)
    timeout = "2m"

    deploy {
      environment = environment.shop
    }
  }

  rollback "page" {
    when = cancelled()
    run  = "page"
    env = {
      expression = "a variable called so"
    }
    timeout = "5m"
  }
}

preview "shop" {
  server        = server.web
  root          = "/srv/${preview.name}"
  hostname      = "pr-${github.pull_request}.example.com"
  ports         = "20000-20999"
  release       = "dist"
  start         = "serve ${preview.port}"
  stop          = "stop ${preview.name}"
  ttl           = "2d"
  max           = 5
  state_dir     = "/var/lib/previews"
  start_timeout = "20s"

  health {
    files         = ["index.html"]
    tcp           = false
    interval      = "1s"
    timeout       = "2s"
    healthy_after = 3
    deadline      = "1m"

    http {
      path        = "/up"
      host        = "up.example.com"
      status      = [200, 204]
      body        = "ok"
      max_latency = "1s"
    }
  }

  proxy "haproxy" {
    servers   = [server.local]
    listen    = 80
    config    = "/etc/haproxy/conf.d/previews.cfg"
    main      = "/etc/haproxy/haproxy.cfg"
    socket    = "/run/haproxy/admin.sock"
    template  = "preview.cfg.tmpl"
    container = "edge"
    check     = "true"
    reload    = "true"

    tls {
      certificate = "/etc/ssl/preview.pem"
      http2       = false
      redirect    = 8080
    }
  }
}
