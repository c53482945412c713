// Package floor has only a benchmark: what an answer costs below the platform, in net/http, in fasthttp, and in servers that leave out
// more and more of HTTP. All write the same bytes. Run it as
//
//	go test -run '^$' -bench Floor -benchtime 20x ./test/floor
package floor
