impl<'a> A<'a> {
    // fn x() {
    pub(crate) fn f(&self) -> char {
        let s = r#"fn y() { "quoted""#; /* one /* two ( */ { */
        if s == "}" { '}' } else { '\'' }
    }
    fn h() {
        g(1)
    }
}
