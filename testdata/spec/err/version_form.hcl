turnout {
  required_version = "new"
}
