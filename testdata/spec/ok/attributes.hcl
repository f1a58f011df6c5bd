# Every block and every attribute of the language, most of them other than by default.

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
      strlen(var.suffix) < 10 && # a comment says nothing to a program
      var.suffix != "no"
    )

    error_message = "The suffix ${var.suffix} is too long."
  }
}

variable "limits" {
  type    = object({ cpu = number, tags = optional(list(string), ["small"]) })
  default = { cpu = 1.5 }
}

variable "unused" {
  default = "not exported"
}

variable "token" {
  type      = string
  default   = "hunter2-token"
  sensitive = true
}

locals {
  domain  = "shop.example.com"
  app     = "shop-${var.suffix}"
  labels  = [for tag in var.limits.tags : upper(tag)]
  looks   = { expression = "like one" }
  hosts   = toset(["b", "a", "b"])
  unused  = 1
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
  connect_timeout = "90s"
}

server "bastion" {
  host        = "bastion.example.com"
  fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  become      = false
}

server "web" {
  host            = "Web.example.com"
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
  connect_timeout = "1500ms"
}

server "local" {
  connection = "local"
  tags       = ["web", "here"]
}

group "all" {
  servers = [group.web, server.bastion]
}

group "web" {
  tags = ["web"]
}

task "patch" {
  target       = [group.web, server.bastion]
  strategy     = "rolling"
  batch        = 3
  pause        = "60s"
  on_failure   = "stop"
  max_failures = "25%"
  timeout      = "24h"

  run = <<-EOT
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

  retry {
    attempts    = 2
    backoff     = "1s"
    backoff_max = "10s"
  }
}

environment "shop" {
  servers       = server.local
  root          = "/srv/shop"
  state_dir     = "/srv/state"
  keep_releases = 5
  shared        = ["uploads"]
  start         = "systemctl start ${local.app}@${slot.name} ${join(",", local.labels)} ${join(",", local.hosts)} ${jsonencode(local.looks)}"
  stop          = "systemctl stop ${local.app}@${slot.name}"
  logs          = "journalctl -n 50 -u ${local.app}@${slot.name}"
  drain         = "1h30m"
  watch         = "0s"
  probe         = "off"
  keep_previous = "stop"
  lock_timeout  = "2m30s"
  start_timeout = "45s"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    socket = "/run/shop/green.sock"
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
      host        = local.domain
      status      = [200, 204]
      body        = "^ok {2}$"
      max_latency = "250ms"
    }
  }

  proxy "nginx" {
    servers    = [server.local]
    listen     = "127.0.0.1:8080"
    hostname   = "Shop.example.com"
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

}

environment "cloud" {
  servers = [server.web, server.bastion]
  root    = "/srv/cloud"

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
    endpoint = "https://vpce-1.elasticloadbalancing.eu-central-1.vpce.amazonaws.com"

    target_groups = {
      a = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-a/73e2d6bc24d8a067"
      b = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-b/73e2d6bc24d8a068"
    }

    instances = {
      web     = "i-0123456789abcdef0"
      bastion = "i-0123456789abcdef1"
    }
  }

  proxy "aws_elb" {
    listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"

    target_groups = {
      a = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-a/73e2d6bc24d8a067"
      b = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-b/73e2d6bc24d8a068"
    }
  }
}

pipeline "release" {
  max_parallel = 2
  fail_fast    = true

  stage "build" {
    type       = "build"
    when       = var.suffix != ""
    run        = "make VERSION=${local.version}"
    dir        = "app"
    timeout    = "90s"
    on_failure = "ignore"

    env = {
      EVENT    = github.event_name
      LITERAL  = "$${HOME}"
      QUESTION = "a\r\nb "
    }

    retry {
      attempts = 1
      backoff  = "0s"
    }
  }

  stage "test" {
    needs  = stage.build
    matrix = { suite = ["unit", "integration"], n = [1, 2] }
    run    = "make test SUITE=${matrix.suite} TAG=${stage.build.outputs.tag}"
  }

  stage "patch" {
    needs = [stage.test]
    task  = task.patch
  }

  stage "deploy" {
    needs = [stage.patch]

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
    needs = [stage.deploy]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true

        analysis {
          source = "run"
          run    = "./ask-metrics"
        }
      }
    }
  }

  stage "measured" {
    needs = [stage.redeploy]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true

        analysis {
          source   = "prometheus"
          interval = "30s"

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
    needs = [stage.measured]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        preview_header = true

        analysis {
          source = "prometheus"

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
    when     = failed() || cancelled()
    keep     = 2
    required = true
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
    env  = { expression = "a variable called so" }
  }
}

preview "shop" {
  server   = server.web
  root     = "/srv/${preview.name}"
  hostname = "pr-${github.pull_request}.example.com"
  ports    = "20000-20999"
  ttl      = "48h"
  start    = "serve ${preview.port}"
  stop     = "stop ${preview.name}"

  release       = "dist"
  max           = 5
  state_dir     = "/var/lib/previews"
  start_timeout = "20s"

  health {
    files = ["index.html"]

    http {
      path        = "/up"
      host        = "up.example.com"
      status      = [200, 204]
      body        = "ok"
      max_latency = "1s"
    }
  }

  proxy "haproxy" {
    listen    = 80
    config    = "/etc/haproxy/conf.d/previews.cfg"
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
