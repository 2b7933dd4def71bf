class A {
  def f = {
    s"${g("}")}"
  }
  def h = {
    (1
  }
}
