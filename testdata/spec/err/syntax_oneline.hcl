server "a" { host = "a.example.com", port = 22 }

server "b" { host = "b.example.com" }

server "c" { host = "c.example.com"
}
