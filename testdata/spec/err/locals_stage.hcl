locals {
  tag = stage.build.outputs.tag
}
