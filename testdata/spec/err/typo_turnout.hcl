turnout {
  require_version = ">= 0.1"
}
