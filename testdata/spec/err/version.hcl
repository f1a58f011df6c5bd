turnout {
  required_version = ">= 99"
}
