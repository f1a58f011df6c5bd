environment "shop" {
}
