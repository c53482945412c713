package tail

import (
	"encoding/json"
	"testing"
)

// TestLinesForPeople checks how items are written, and that no text makes a terminal do something.
func TestLinesForPeople(t *testing.T) {
	t.Parallel()
	f := &follower{}
	for _, test := range []struct{ kind, data, want string }{
		{"event", `{"ts":"2026-03-14T09:26:53Z","type":"\u001b[2J","user_id":null,"anonymous_id":"v","sku":"TEA"}`, `2026-03-14T09:26:53Z "\x1b[2J" visitor=v sku=TEA`},
		{"order", `{"ts":"t","number":"#1","amount_minor":5,"currency":"EUR","user_id":"u","lines":[{"sku":"A","quantity":2}]}`, "t order #1 0.05 EUR user=u 2x A"},
		{"refund", `{"ts":"t","number":null,"amount_minor":700,"currency":"JPY"}`, "t refund 700 JPY"},
		{"refund", `{"ts":"t","amount_minor":7,"currency":"?"}`, "t refund 7 ? (minor units)"},
		{"omitted", `{"kind":"event","count":12}`, "# 12 are left out (omitted)"},
		{"gap", `{"kind":null,"count":null}`, "# some are left out (gap)"},
		{"refused", `{"at":"t","kind":"event","code":"required","pointer":"/type","detail":"Send it.","item":{"sku":"A"}}`, `t refused event required /type Send it. {"sku":"A"}`},
	} {
		if got, err := f.line(test.kind, json.RawMessage(test.data)); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.data, got, err, test.want)
		}
	}
}
