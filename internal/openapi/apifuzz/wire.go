package apifuzz

import "strings"

// wireKinds are what no HTTP client sends. The server refuses them before the platform sees a request.
var wireKinds = []way{
	wire("wire: header too large", func(_ *Request, line string) string {
		return line + "Host: x\r\nX-Large: " + strings.Repeat("x", 40_000) + "\r\n\r\n"
	}),
	wire("wire: no host", func(_ *Request, line string) string { return line + "\r\n" }),
	wire("wire: two lengths", func(_ *Request, line string) string {
		return line + "Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
	}),
	wire("wire: length and chunks", func(_ *Request, line string) string {
		return line + "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n"
	}),
	wire("wire: negative length", func(_ *Request, line string) string { return line + "Host: x\r\nContent-Length: -1\r\n\r\n" }),
	wire("wire: control character in a name", func(_ *Request, line string) string { return line + "Host: x\r\nX\x01: y\r\n\r\n" }),
	wire("wire: control character in a value", func(_ *Request, line string) string { return line + "Host: x\r\nX: y\x00\r\n\r\n" }),
	wire("wire: version", func(r *Request, _ string) string { return r.Method + " / HTTP/9.9\r\nHost: x\r\n\r\n" }),
	wire("wire: path", func(r *Request, _ string) string { return r.Method + " /%zz HTTP/1.1\r\nHost: x\r\n\r\n" }),
	wire("wire: no request", func(*Request, string) string { return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" }),
}

func wire(name string, text func(r *Request, line string) string) way {
	return way{name: name, fits: always, change: func(_ *maker, r *Request) {
		line := r.Method + " " + r.Target() + " HTTP/1.1\r\n"
		r.raw = func() []byte { return []byte(text(r, line)) }
		r.Refused, r.Wire = true, true
	}}
}
