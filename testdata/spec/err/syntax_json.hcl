{"server": {"a": {"host": "a.example.com"}}}
