package ingest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// whose returns the users of all stored events and orders, each once, as kind and id.
func (p *platform) whose() (users []string) {
	p.t.Helper()
	for _, row := range p.stored(`SELECT DISTINCT CASE WHEN u.anonymous THEN 'visitor ' ELSE 'user ' END || u.id AS who
		FROM (SELECT user_n FROM ingest.events UNION SELECT user_n FROM ingest.orders) AS of JOIN ingest.users AS u ON u.n = of.user_n ORDER BY 1`) {
		who, _ := row["who"].(string)
		users = append(users, who)
	}
	return users
}

// TestOneRequestThatIdentifiesAVisitor sends an event of a visitor together with what says who that is, in both orders: all of it is the
// user's, and nothing the visitor's.
func TestOneRequestThatIdentifiesAVisitor(t *testing.T) {
	t.Parallel()
	const completed = `{"type":"track","messageId":"c","event":"Order Completed","anonymousId":"v","userId":"anna","properties":{"order_id":"A-1","currency":"EUR","products":[{"sku":"SHOE","quantity":1,"price":1}]}}`
	for name, tc := range map[string]struct {
		path  string
		items []string
	}{
		"events":                         {"/events/bulk", []string{`{"type":"a","anonymous_id":"v"}`, `{"type":"b","anonymous_id":"v","user_id":"anna"}`}},
		"Segment, identify":              {"/segment/v1/batch", []string{`{"type":"track","event":"a","anonymousId":"v"}`, `{"type":"identify","anonymousId":"v","userId":"anna"}`}},
		"Segment, alias":                 {"/segment/v1/batch", []string{`{"type":"track","event":"a","anonymousId":"v"}`, `{"type":"alias","previousId":"v","userId":"anna"}`}},
		"Segment, an order":              {"/segment/v1/batch", []string{`{"type":"track","event":"a","anonymousId":"v"}`, completed}},
		"Segment, an order of a visitor": {"/segment/v1/batch", []string{strings.Replace(completed, `"userId":"anna",`, "", 1), `{"type":"identify","anonymousId":"v","userId":"anna"}`}},
		"orders": {"/orders/bulk", []string{
			`{"id":"1","anonymous_id":"v","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`,
			`{"id":"2","anonymous_id":"v","user_id":"anna","currency":"EUR","lines":[{"sku":"SHOE","quantity":1}]}`,
		}},
	} {
		for order, items := range map[string][]string{"visitor first": tc.items, "user first": {tc.items[1], tc.items[0]}} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				p := start(t)
				member := map[string]string{"/events/bulk": "events", "/segment/v1/batch": "batch", "/orders/bulk": "orders"}[tc.path]
				a := p.post(tc.path, p.ingestKey, `{"`+member+`":[`+strings.Join(items, ",")+`]}`)
				if a.status != http.StatusAccepted && a.status != http.StatusOK || a.number("rejected") > 0 || a.header.Get("Events-Rejected") > "0" {
					t.Fatalf("%d %v %v", a.status, a.header, a.object)
				}
				if diff := cmp.Diff([]string{"user anna"}, p.whose()); diff != "" {
					t.Errorf("whose (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestAnOrderWithARefusedUserJoinsNothing sends an order whose user id cannot be stored beside an event of the visitor.
func TestAnOrderWithARefusedUserJoinsNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	batch := `{"batch":[{"type":"track","event":"a","anonymousId":"v"},
		{"type":"track","event":"Order Completed","anonymousId":"v","userId":"me","properties":{"order_id":"A-1","products":[{"sku":"SHOE"}]}}]}`
	if got := p.segment("batch", batch); got != "1+1" {
		t.Errorf("the batch: %s", got)
	}
	if diff := cmp.Diff([]string{"visitor v"}, p.whose()); diff != "" {
		t.Errorf("whose (-want +got):\n%s", diff)
	}
}
