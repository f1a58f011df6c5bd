# The demo: a shop in two slots behind a proxy, and a pipeline of ten stages. "make demo" runs it
# three times: for v1, for v2 under live traffic, and for a v3 that is not healthy.

variable "version" {
  description = "Tag to deploy."
}

variable "repository" {
  description = "Git repository of the shop."
}

variable "service" {
  description = "Command that starts and stops a slot, as systemctl would."
}

variable "root" {
  description = "Where releases live on the server."
}

variable "proxy_dir" {
  description = "Where the proxy has its files."
}

variable "listen" {
  description = "Where the shop is served."
}

variable "ports" {
  description = "One port for each slot."
  type        = list(number)
}

environment "shop" {
  root          = var.root
  state_dir     = "${var.root}/state"
  keep_releases = 3

  slot "blue" {
    port = var.ports[0]
  }

  slot "green" {
    port = var.ports[1]
  }

  start = "${var.service} start"
  stop  = "${var.service} stop"

  health {
    files = ["bin/shop", "config.json", "site/index.html"]

    http {
      path        = "/healthz"
      body        = "\"ok\""
      max_latency = "500ms"
    }

    interval      = "200ms"
    timeout       = "1s"
    healthy_after = 3
    deadline      = "5s"
  }

  proxy "nginx" {
    listen    = var.listen
    hostname  = "shop.localhost"
    config    = "${var.proxy_dir}/conf.d/shop.conf"
    main      = "${var.proxy_dir}/nginx.conf"
    error_log = "${var.proxy_dir}/error.log"
  }

  watch = "3s"
  drain = "10s"
}

pipeline "release" {
  max_parallel = 4

  stage "checkout" {
    type = "source"
    run  = "git -c advice.detachedHead=false clone --quiet --depth 1 --branch '${var.version}' '${var.repository}' src"

    retry {
      attempts = 2
      backoff  = "1s"
    }
  }

  stage "lint" {
    type  = "lint"
    needs = [stage.checkout]
    dir   = "src"
    run   = "test -z \"$(gofmt -l .)\" && go vet ./..."
  }

  stage "build" {
    type  = "build"
    needs = [stage.checkout]
    dir   = "src"

    run = <<-EOT
      go build -trimpath -o ../build/shop .
      echo "size=$(stat -c %s ../build/shop)" >> "$TURNOUT_OUTPUT"
    EOT
  }

  stage "unit" {
    type  = "test"
    needs = [stage.build]
    dir   = "src"
    run   = "go test ./..."
  }

  stage "integration" {
    type    = "test"
    needs   = [stage.build]
    dir     = "src"
    timeout = "30s"

    run = <<-EOT
      export TURNOUT_SLOT=integration TURNOUT_SOCKET=$PWD/../shop.sock
      ../build/shop & shop=$!
      for _ in {1..100}; do ! curl -fs --unix-socket "$TURNOUT_SOCKET" -o /dev/null http://shop/ || break; sleep 0.05; done
      curl -fsS --unix-socket "$TURNOUT_SOCKET" http://shop/ | grep -q '<title>Shop</title>'
      curl -fsS --unix-socket "$TURNOUT_SOCKET" http://shop/upload -d 'a picture' | grep -qx 9
      kill $shop && wait $shop
    EOT
  }

  stage "scan" {
    type  = "security"
    needs = [stage.checkout]
    dir   = "src"
    run   = "! grep -rnE 'BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}' ."

    on_failure = "continue"
  }

  stage "package" {
    type  = "package"
    needs = [stage.lint, stage.unit, stage.integration, stage.scan]
    env   = { SIZE = stage.build.outputs.size }

    run = <<-EOT
      mkdir -p dist/bin
      cp build/shop dist/bin/
      cp -R src/site src/config.json dist/
      (cd dist && find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS)
      echo "$SIZE bytes of program, $(wc -l < dist/SHA256SUMS) files"
    EOT
  }

  stage "deploy" {
    type  = "deploy"
    needs = [stage.package]

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }

  stage "smoke" {
    type  = "test"
    needs = [stage.deploy]
    run   = "curl -fsS -H 'Host: shop.localhost' 'http://${var.listen}/healthz' | grep '\"version\":\"${var.version}\"'"
  }

  stage "announce" {
    type  = "notify"
    needs = [stage.smoke]
    when  = var.version != "v1" # nobody knows the shop yet
    run   = "git -C src log -1 --format='${var.version} is live: %s'"
  }
}
