package rejections

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

// TestAJournalIsBounded notes a hundred thousand refusals of one sender, and some of thousands of others, while nothing is written: what
// is held, what is redacted, and the labels of the metric stay few.
func TestAJournalIsBounded(t *testing.T) {
	t.Parallel()
	j := New(redistest.Client(t, redistest.New(t)), platformtest.Logger(t), prometheus.NewRegistry())
	reason := errs.Field{Pointer: "/" + strings.Repeat("p", 5000), Code: "wrong_type", Detail: strings.Repeat("ü", 5000)}
	redacted := 0
	item := func() json.RawMessage { redacted++; return nil }
	loud := Sender{Project: 1, Key: uuid.NewString()}
	for range 100_000 {
		j.Refused(loud, Event, reason, item)
	}
	if redacted != share || len(j.news[loud].refusals) != share || j.news[loud].counts["wrong_type"] != 100_000 {
		t.Errorf("%d redacted, %d held, %v counted", redacted, len(j.news[loud].refusals), j.news[loud].counts)
	}
	for range 5000 {
		j.Refused(Sender{Project: 1, Key: uuid.NewString()}, Event, reason, item)
		j.Valid(Sender{Project: 1, Key: uuid.NewString()})
	}
	if len(j.news) != maxSenders || len(j.valid) > maxValid {
		t.Errorf("%d senders, %d of them valid", len(j.news), len(j.valid))
	}
	if n := testutil.CollectAndCount(j.refused); n != mostLabels+1 {
		t.Errorf("the metric has %d series", n)
	}
	for _, r := range j.news[loud].refusals {
		if encoded, err := json.Marshal(r); err != nil || len(encoded) > 600 || !utf8.Valid(encoded) {
			t.Errorf("%v, %d bytes: %s", err, len(encoded), encoded)
		}
	}
}

// TestItemsAreSmall redacts items of the greatest size: what is left is JSON of some hundred bytes, and no value of a property.
func TestItemsAreSmall(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\"<\u2028", 3000)
	properties := map[string]string{}
	for n := range 500 {
		properties[fmt.Sprintf("name %d %s", n, long[:n])] = "hush"
	}
	raw, err := json.Marshal(properties)
	if err != nil {
		t.Fatal(err)
	}
	fact := event.FactDraft{Good: ^event.Fields(0), IDText: long, SKU: long, UserID: "hush", AnonymousID: "hush"}
	lines := make([]order.LineDraft, 2000)
	for n := range lines {
		lines[n] = order.LineDraft{Good: ^event.Fields(0), SKU: long, Quantity: 1, AmountMinor: 1}
	}
	for name, item := range map[string]json.RawMessage{
		"event":  EventItem(&event.Draft{FactDraft: fact, Type: long, Properties: raw}),
		"order":  OrderItem(&order.Draft{FactDraft: fact, Currency: long, Properties: raw, Lines: lines}),
		"refund": RefundItem(&order.RefundDraft{FactDraft: fact, Lines: lines}),
		"broken": EventItem(&event.Draft{FactDraft: fact, Properties: []byte(`{"a":1,"b`)}),
	} {
		if !json.Valid(item) || len(item) > 4096 || strings.Contains(string(item), "hush") {
			t.Errorf("%s, %d bytes: %s", name, len(item), item)
		}
	}
	if item := EventItem(&event.Draft{}); item != nil {
		t.Errorf("an item of which nothing could be read: %s", item)
	}
	small := EventItem(&event.Draft{FactDraft: event.FactDraft{Good: event.FieldUserID | event.FieldSKU, SKU: "BOOT", UserID: "u"}, Type: "never read", Properties: []byte(`{"a":[1],"b":null,"c":true,"d":"x"}`)})
	if want := `{"sku":"BOOT","user_id":"(string)","properties":{"a":"(array)","b":"(null)","c":"(boolean)","d":"(string)"}}`; string(small) != want {
		t.Errorf("%s, want %s", small, want)
	}
}
