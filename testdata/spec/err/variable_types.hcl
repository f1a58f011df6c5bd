variable "a" {
  type    = number
  default = "ten"
}

variable "b" {
  type    = list(string)
  default = "x"
}

variable "c" {
  type    = strng
  default = "x"
}

variable "d" {
  default = local.x
}

variable "1e" {
  default = "x"
}

variable {
  default = "x"
}
