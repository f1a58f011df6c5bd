server:
  - name: a
    host: a.example.com
