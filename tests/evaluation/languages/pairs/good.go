package a

// func x() {
func (a *A) F(x interface{}) []rune {
	return []rune{'}', '\''}
}

var s = `
func y() {
`

func h() {
	g(1)
}
