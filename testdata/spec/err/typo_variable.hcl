variable "a" {
  defualt = "x"
  sensetive = true
  validaton {
    conditon = true
    error_mesage = "x"
  }
}
