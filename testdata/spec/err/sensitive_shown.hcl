variable "token" {
  default   = "hunter2-token"
  sensitive = true

  validation {
    condition     = length(var.token) > 99
    error_message = "The token ${var.token} is too short."
  }
}

locals {
  n = parseint(var.token, 10)
}

pipeline "p" {
  stage "a" {
    run    = var.token + 1
    type   = var.token
    matrix = { t = [var.token] }
    env    = { "${var.token}" = "x" }
    dir    = "x/${var.tokn}"
  }
}
