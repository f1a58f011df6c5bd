pipeline "p" {
  max_parallel = 0
}
