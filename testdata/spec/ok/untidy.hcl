// What one finds in the wild: a sound spec that nobody has formatted.
variable "deploy" { default = true }
locals { app = "shop" }
locals {
    dir="/srv/${local.app}" /* where it lives */
    yes = var.deploy
       }

environment "shop" {
root=local.dir
  slot "blue" { port="8081" }
  slot "green" { port=8000+82 }
  start=<<SH
    systemctl  restart   ${local.app}@${ slot.name }
SH
  proxy "nginx" {
      listen="80"
      config="/etc/nginx/conf.d/${local.app}.conf"
 }
}

pipeline "release" {
  stage "build" {
      when=local.yes&&github.event_name!="schedule"   # not at night
      run=<<-SH
        set -eu
        	make   # with a tab in front
        echo "tag=$$(git rev-parse HEAD)"   >> "$TURNOUT_OUTPUT"
      SH
      env={ APP=local.app
            SHA=github.sha, HOME=env("HOME") }
      timeout="300s"
  }
  stage "test" { 
      needs=stage.build
      when=(
        stage.build.outputs.tag!="" // there must be one
        &&  !( 1>2 )
      )
      run="make test TAG=${ stage.build.outputs.tag   } APP=${local.app}"
  }
  stage "never" {
      when = false
      run = "exit 1"
  }
  stage "deploy" {
      needs=[ stage.test,
              stage.never ]
      deploy {
        environment=environment.shop
        release=format("%s-%s",local.app,"dist")
      }
 }
}
