ssh {
  usr = "deploy"
  privatekey = "x"
  connect_timout = "10"
}
