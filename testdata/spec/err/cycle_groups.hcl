server "a" {
  host = "a.example.com"
}

group "all" {
  servers = [group.some, server.a]
}

group "some" {
  servers = [group.more]
}

group "more" {
  servers = [group.some, server.a]
}

group "itself" {
  servers = [group.itself]
}
