package ingest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// Bodies without a valid key count for the network that sends them, by their bytes; those with one count for the key alone.
func TestBodiesOfStrangersAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) {
		cfg.UnidentifiedRateLimit, cfg.RateWindow, cfg.HTTP.TrustedProxyHops = 10, time.Hour, 1
	})
	send := func(path, address, body string) answer {
		return p.post(path, "", body, "Content-Type", "application/json", "X-Forwarded-For", address)
	}
	message := `{"api_key":"` + p.ingestKey + `","event":"x","distinct_id":"a"}`
	for range 20 {
		send("/posthog/e/", "198.51.100.1", message).expect(t, http.StatusOK, "")
	}
	strange := `{"api_key":"` + authn.NewPublicKey() + `"}`
	for _, path := range []string{"/posthog/e/", "/segment/v1/track", "/events/beacon", "/segment/beacon/v1/batch"} {
		if a := send(path, "198.51.100.1", strange); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", path, a.status, a.object)
		}
	}
	var denied answer
	for range 10 {
		if denied = send("/posthog/e/", "198.51.100.1", strange); denied.status == http.StatusTooManyRequests {
			break
		}
	}
	denied.expect(t, http.StatusTooManyRequests, "rate_limited")
	if denied.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	send("/posthog/e/", "198.51.100.2", strings.Repeat(" ", 300<<10)+strange).expect(t, http.StatusTooManyRequests, "rate_limited")
	send("/posthog/e/", "198.51.100.3", message).expect(t, http.StatusOK, "")
	p.post("/segment/v1/track", p.ingestKey, `{"userId":"u","event":"x"}`, "X-Forwarded-For", "198.51.100.1").expect(t, http.StatusOK, "")
}

// Who knows the address of a webhook uses up the quota of their own network, and not that of the key.
func TestUnsignedWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, func(cfg *ingest.Config) {
		cfg.UnidentifiedRateLimit, cfg.RateLimit, cfg.RateWindow, cfg.HTTP.TrustedProxyHops = 10, 60, time.Hour, 1
	})
	key := p.hookKey(1, authn.Shopify, hookSecret)
	forged := strings.Repeat(" ", 30<<10) + shopOrder("1", "paid", "")
	for i, of := range []string{key, p.hookKey(1, authn.Shopify, "")} {
		status := 0
		for n := 0; n < 10 && status != http.StatusTooManyRequests; n++ {
			status = p.post("/hooks/shopify/"+of, "", forged, "X-Shopify-Topic", "orders/paid", "X-Forwarded-For", fmt.Sprint("198.51.100.", i)).status
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("forged webhooks without end are answered with %d", status)
		}
	}
	for i := range 15 { // more than the network may send without a signature
		p.shopify(key, "orders/paid", shopOrder(strconv.Itoa(i+1), "paid", ""), "X-Forwarded-For", "198.51.100.9").result(t, "stored")
	}
}

// A key in the body is found wherever it is, so a body that is refused as a whole is told why, and its sender sees it among the refusals.
func TestKeyBehindWhatIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	key := p.publicKey()
	many := strings.Repeat(`{},`, 1000) + `{}`
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/segment/v1/batch", `{"batch":[` + many + `],"writeKey":"` + p.ingestKey + `"}`, http.StatusBadRequest, "batch_too_large"},
		{"/events/beacon", `{"events":[` + many + `],"key":"` + key + `"}`, http.StatusRequestEntityTooLarge, "batch_too_large"},
		{"/posthog/batch/", `{"batch":[` + many + `],"api_key":"` + p.ingestKey + `"}`, http.StatusRequestEntityTooLarge, "batch_too_large"},
		{"/posthog/batch/", `{"api_key":"` + p.ingestKey + `","batch":[`, http.StatusBadRequest, "malformed_json"},
		{"/posthog/e/", "data=" + url.QueryEscape(`{"api_key":"`+p.ingestKey+`","event"`), http.StatusBadRequest, "malformed_json"},
	} {
		p.post(c.path, "", c.body, fromShopOr(c.path)...).expect(t, c.status, c.code)
	}
	kinds := map[string]int{}
	for _, item := range p.rejections("", 5).items() {
		kinds[fmt.Sprint(item["kind"], " ", item["code"])]++
	}
	if kinds["request batch_too_large"] != 3 || kinds["request malformed_json"] != 2 {
		t.Errorf("the refusals are %v", kinds)
	}
}

// fromShopOr returns the headers of a page where only pages may send, and else those of a server.
func fromShopOr(path string) []string {
	if path == "/events/beacon" {
		return slices.Clone(fromShop)
	}
	return []string{"Content-Type", "application/json"}
}

// Once Redis has lost everything, the next refusal of a sender who sent something valid does not say that nothing valid came.
func TestRefusalsAfterRedisIsEmptied(t *testing.T) {
	t.Parallel()
	redis := redistest.StartServer(t)
	p := start(t, func(cfg *ingest.Config) { cfg.Redis = redis.Config() })
	id, read := p.keyID(p.ingestKey), p.apiKey("read")
	p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	record := func() map[string]any { return p.get("/rejections?key="+id, read).senders()[0] }
	platformtest.Eventually(t, time.Minute, "the record says that something valid came", func() bool { return record()["valid_at"] != nil })
	redis.FlushAll()
	p.post("/events", p.ingestKey, `{"type":"view","sku":"NONE","user_id":"u"}`).expect(t, http.StatusUnprocessableEntity, "validation_failed")
	platformtest.Eventually(t, time.Minute, "the refusal is noted", func() bool { return record()["refused"] == 1.0 })
	if got := record(); got["valid_at"] == nil || strings.HasPrefix(got["summary"].(string), "Nothing valid") {
		t.Errorf("the record is %v", got)
	}
}

// What a library for browsers loads first depends on the address it asks, so no cache between many of them keeps it.
func TestSettingsInCaches(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/segment/v1/projects/hpw_any/settings", "/segment/sourceConfig/"} {
		a := p.send(http.MethodGet, path, "", nil, "Origin", shopOrigin)
		a.expect(t, http.StatusOK, "")
		if a.header.Get("Cache-Control") != "private, max-age=300" || !slices.Contains(a.header.Values("Vary"), "Origin") {
			t.Errorf("%s: %v", path, a.header)
		}
	}
}
