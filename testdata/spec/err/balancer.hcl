server "web01" {
  host = "10.0.1.11"
}

environment "shop" {
  servers = [server.web01]
  root    = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    socket = "/run/shop/green.sock"
  }

  proxy "aws_elb" {
    rule_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
    listen   = 443
    endpoint = "https://api.example.com/v1"

    target_groups = {
      blue = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067"
      red  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-red/73e2d6bc24d8a069"
    }

    instances = { web02 = "web02" }
  }

  proxy "aws_elb" {
    listener_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
    rule_arn     = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"

    target_groups = {
      blue  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067"
      green = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067"
    }
  }

  proxy "aws_elb" {
    servers       = [server.web01, server.web02]
    target_groups = "shop"
  }
}

server "web02" {
  host = "10.0.1.12"
}

environment "other" {
  servers = [server.web02]
  root    = "/srv/other"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "aws_elb" {
    listener_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"

    target_groups = {
      blue  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067"
      green = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop-green/73e2d6bc24d8a068"
    }
  }
}
