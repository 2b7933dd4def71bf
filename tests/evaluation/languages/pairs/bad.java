class A {
  public int f() {
    return g('}');
  }
  public int h( {
  }
}
