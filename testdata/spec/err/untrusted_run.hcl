pipeline "p" {
  stage "build" {
    run = "echo ${github.title} && git checkout ${github.head_ref}"
  }
}
