server "a" {
  host = "a.example.com"
}

preview "shop" {
  sever = server.b
  rot = "/srv/${preview.nam}"
  hostnme = "pr-${github.pull_requst}.example.com"
  prots = "20999-20000"
  strat = "x"
  tll = "7 days"
}
