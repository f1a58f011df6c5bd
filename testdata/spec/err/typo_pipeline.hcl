pipeline "p" {
  maxparallel = 0
  failfast = "maybe"
  stag "a" {
    run = "x"
  }
  artefact "b" {
    pth = "dist"
    kep = 0
  }
  rolback "c" {
    wen = failed(stage.b)
    run = "x"
  }
}
