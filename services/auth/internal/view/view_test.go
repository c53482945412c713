package view

import "testing"

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"/": true, "/?period=7+days": true, "/app": true, "/app/products/0195a3ef-5d10-7a6b-8f3c-0e9d1b2a4c57?compare=previous": true, "/app/events?type=a%2Fb": true,
		"": false, "app": false, "//example.com/": false, "/\\example.com": false, "https://example.com/app": false, "javascript:alert(1)": false, "/apps": false,
		"/docs": false, "/app/../docs": false, "/app/%2e%2e/docs": false, "/app#x": false, "/app\n": false, "?x": false, "///app/": false, "/app/ x": false,
	} {
		if got := isPage(address); got != want {
			t.Errorf("%q is a page: %t, want %t", address, got, want)
		}
	}
}
