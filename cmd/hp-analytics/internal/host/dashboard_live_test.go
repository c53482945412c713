package host_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// restartable returns a platform, and a function that stops it and starts it again at the same address.
func restartable(t *testing.T, environ ...string) (p *platform, restart func()) {
	t.Helper()
	database, redis := dbtest.New(t), string(redistest.New(t).URL)
	listener := listen(t, "127.0.0.1:0")
	stop := serveOn(t, listener, database, redis, environ...)
	t.Cleanup(func() { stop() })
	client := &http.Client{Transport: openapitest.New(t).Transport(&http.Transport{})}
	t.Cleanup(client.CloseIdleConnections)
	return &platform{t: t, url: "http://" + listener.Addr().String(), client: client, database: database}, func() {
		client.CloseIdleConnections()
		stop()
		stop = serveOn(t, listen(t, listener.Addr().String()), database, redis, environ...)
	}
}

// surely sends something until it is answered with success, through restarts of the platform.
func (s shop) surely(path, body string) {
	for {
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
		if err != nil {
			s.t.Error(err)
			return
		}
		request.Header.Set("Authorization", s.key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode < http.StatusMultipleChoices {
				return
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.t.Context().Done():
			return
		}
	}
}

// step is an event of the n-th step; it has the same id whenever it is sent again.
func step(n int) string {
	return fmt.Sprintf(`{"id":"step-%d","ts":%q,"type":"step %d","user_id":"walker","properties":{"n":%d}}`, n, time.Now().UTC().Format(time.RFC3339Nano), n, n)
}

const (
	connection = `document.querySelector("main .head [role=status]")?.textContent`
	// liveNames are the names of the rows, newest first.
	liveNames  = `[...document.querySelectorAll(".stream li")].map(row => row.querySelector("strong")?.textContent ?? row.textContent)`
	pauseLabel = `document.querySelector("[aria-keyshortcuts=p]").textContent`
)

// steps are the names of the steps from the newest to the oldest, as liveNames has them.
func steps(newest, oldest int) string {
	var names []string
	for n := newest; n >= oldest; n-- {
		names = append(names, fmt.Sprintf("step %d", n))
	}
	return strings.Join(names, ",")
}

// TestDashboardLive watches events while they are sent by HTTP: through a restart of the platform, the end of a token, a time without a
// network, and a pause. Each is shown once, in the order in which they were stored.
func TestDashboardLive(t *testing.T) {
	t.Parallel()
	p, restart := restartable(t, "ACCESS_TOKEN_TTL=31s") // the stream goes on with a new one
	s := newShop(p)
	s.create("TEA 1/2")
	b := newTab(t, s.url)
	b.open("/app/live")
	b.signIn("admin@example.com")
	b.until(connection + ` === "Live"`)
	b.sees("appear here as they are stored")

	const before, during = 20, 60
	for n := range before {
		s.surely("/events", step(n))
	}
	b.until(liveNames + `.length === 20`)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := before; n < during; n++ {
			s.surely("/events", step(n))
		}
	}()
	restart()
	<-sent
	b.until(liveNames + `.length >= 60`)
	if got := b.value(liveNames + `.join()`); got != steps(59, 0) {
		t.Errorf("through a restart, the page shows\n%s, want\n%s", got, steps(59, 0))
	}

	b.do(chromedp.KeyEvent("p"))
	b.until(pauseLabel + ` === "Resume (0 waiting)"`)
	for n := 60; n < 63; n++ {
		s.surely("/events", step(n))
	}
	b.until(pauseLabel + ` === "Resume (3 waiting)"`)
	if got := b.value(liveNames + `.length`); got != "60" {
		t.Errorf("the page shows %s events during the pause", got)
	}
	b.follow("Resume")
	b.until(liveNames + `.length === 63`)
	if got := b.value(`document.querySelector(".stream pre").textContent`); got != "" {
		t.Errorf("properties are there before anybody asks for them: %s", got)
	}
	b.do(chromedp.Click(`.stream summary`))
	b.until(`document.querySelector(".stream pre").textContent.includes('"n": 62')`)

	b.offline(true)
	b.until(connection + ` === "Offline: it goes on when the network is back"`)
	s.surely("/events", step(63))
	b.offline(false)
	b.until(liveNames + `.length === 64 && ` + connection + ` === "Live"`)

	ended := b.value(liveRequests)
	b.until(liveRequests + ` > ` + ended) // the token ends, and with it the answer
	s.surely("/events", step(64))
	b.until(liveNames + `.length >= 65`)
	if got := b.value(liveNames + `.join()`); got != steps(64, 0) {
		t.Errorf("at the end, the page shows\n%s, want\n%s", got, steps(64, 0))
	}
	b.accessible("live with events")
	b.clean("/analytics/live", "/auth/refresh", "/auth/projects") // the restart, and the time without a network
}

// liveRequests is how many answers of the stream have ended.
const liveRequests = `performance.getEntriesByType("resource").filter(e => e.name.includes("/analytics/live")).length`

func (b *tab) offline(is bool) {
	b.t.Helper()
	b.do(network.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := network.EmulateNetworkConditionsByRule(is, []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1}}).Do(ctx)
		return err
	}), network.OverrideNetworkState(is, 0, -1, -1))
}

// TestDashboardLiveFilters checks the filters of the page, and that they are in its address.
func TestDashboardLiveFilters(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/live")
	b.signIn("admin@example.com")
	b.until(connection + ` === "Live"`)
	send := func() {
		for _, event := range []string{
			`{"type":"view","sku":"TEA 1/2","user_id":"ada"}`, `{"type":"view","sku":"TEA 1/2","user_id":"grace"}`, `{"type":"Signed Up","user_id":"ada"}`,
			`{"type":"view","sku":"TEA 1/2","anonymous_id":"ada's phone"}`, `{"type":"click","sku":"TEA 1/2","user_id":"ada"}`,
		} {
			s.send(http.MethodPost, "/events", s.key, event)
		}
	}
	shown := `[...document.querySelectorAll(".stream li")].map(row => [...row.children].slice(1, 4).map(cell => cell.textContent).join("|")).join("; ")`
	send()
	b.until(shown + ` === "click|ada|TEA 1/2; view|visitor ada's phone|TEA 1/2; Signed Up|ada|; view|grace|TEA 1/2; view|ada|TEA 1/2"`)

	filter := func(by, value string) {
		b.do(chromedp.SendKeys(`[aria-label="Filter by"]`, by))
		b.types(`[aria-label="Value of the filter"]`, value+kb.Enter)
	}
	filter("Id of", "ada")
	filter("SKU", "TEA 1/2")
	b.until(connection + ` === "Live" && ` + liveNames + `.length === 0`)
	send()
	const ofAda = `click|ada|TEA 1/2; view|ada|TEA 1/2`
	b.until(shown + ` === "` + ofAda + `"`)
	if got := b.value(`location.search`); got != "?user=ada&sku=TEA+1%2F2" {
		t.Errorf("the address is %s", got)
	}
	b.do(chromedp.Reload())
	b.until(connection + ` === "Live"`)
	send()
	b.until(shown + ` === "` + ofAda + `"`)
	b.presses(`[aria-label="Remove the filter: user ada"]`)
	filter("Name", "view")
	b.until(connection + ` === "Live" && ` + liveNames + `.length === 0`)
	send()
	b.until(shown + ` === "view|visitor ada's phone|TEA 1/2; view|grace|TEA 1/2; view|ada|TEA 1/2"`)
	b.do(chromedp.NavigateBack(), chromedp.NavigateBack())
	b.until(`location.search === "?user=ada&sku=TEA+1%2F2"`)
	b.do(chromedp.WaitVisible(`[aria-label="Remove the filter: user ada"]`))
	b.clean()
}

// TestDashboardLiveMoney shows orders and refunds in the order of their commit, with their amounts and lines, and filters by kind.
func TestDashboardLiveMoney(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/live")
	b.signIn("admin@example.com")
	b.until(connection + ` === "Live"`)
	send := func() {
		order := s.send(http.MethodPost, "/orders", s.key, `{"id":"#`+uuid.NewString()[:8]+`","user_id":"ada","currency":"JPY","lines":[{"sku":"TEA 1/2","quantity":3,"amount_minor":4200}]}`)
		s.send(http.MethodPost, "/events", s.key, `{"type":"Thanked","user_id":"ada"}`)
		s.send(http.MethodPost, "/orders/"+order["id"].(string)+"/refunds", s.key, `{"id":"#`+uuid.NewString()[:8]+`","amount_minor":1200}`)
		s.send(http.MethodPost, "/purchases", s.key, `{"sku":"TEA 1/2","quantity":1,"user_id":"grace"}`)
	}
	shown := `[...document.querySelectorAll(".stream li")].map(row => [...row.children].slice(1, 4).map(cell => cell.textContent.replace(/ #\w+/, "")).join("|")).join("; ")`
	send()
	b.until(shown + ` === "Order, €100.00|grace|1 × TEA 1/2; Refund, −¥1,200|ada|TEA 1/2; Thanked|ada|; Order, ¥4,200|ada|3 × TEA 1/2"`)
	b.accessible("live with orders")
	b.pictures("live-orders")
	b.presses(`[aria-label="What to show"] button:nth-child(4)`)
	b.until(connection + ` === "Live" && location.search === "?kind=refund" && ` + liveNames + `.length === 0`)
	send()
	b.until(shown + ` === "Refund, −¥1,200|ada|TEA 1/2"`)
	b.clean()
}

// bulk is a request with n events.
func bulk(n int) string {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"type":"view","sku":"TEA 1/2","user_id":"u%d"}`, i)
	}
	return `{"events":[` + strings.Join(events, ",") + `]}`
}

// TestDashboardLiveStaysSmall sends thousands of events to an open page: what it shows and holds does not grow, during a pause neither,
// and it says what it leaves out.
func TestDashboardLiveStaysSmall(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/live")
	b.signIn("admin@example.com")
	b.until(connection + ` === "Live"`)
	flood := func(rounds int, arrived func(events int) string) {
		for round := range rounds { // a reader may be up to 4,096 events behind
			for range 2000 / 500 {
				s.send(http.MethodPost, "/events/bulk", s.key, bulk(500))
			}
			s.send(http.MethodPost, "/events", s.key, fmt.Sprintf(`{"type":"end %d","user_id":"u"}`, round))
			b.until(arrived((round + 1) * 2001))
		}
	}
	newest := func(events int) string { return fmt.Sprintf(liveNames+`[0] === "end %d"`, events/2001-1) }
	flood(1, newest)
	heap := b.heap()
	flood(4, newest)
	if got := b.value(liveNames + `.length`); got != "100" {
		t.Errorf("the page has %s rows", got)
	}
	const most = 1 << 20 // 8,000 events are 3 MB
	if grown := b.heap() - heap; grown > most {
		t.Errorf("after 8000 more events the heap is %.0f bytes larger", grown)
	}
	b.sees("These are the newest 100.")

	b.follow("Pause")
	flood(4, func(events int) string {
		return fmt.Sprintf(pauseLabel+`.replaceAll(",", "") === "Resume (%d waiting)"`, events)
	})
	if grown := b.heap() - heap; grown > most {
		t.Errorf("after 8000 events in a pause the heap is %.0f bytes larger", grown)
	}
	b.follow("Resume")
	b.until(newest(4 * 2001))
	b.sees("7,905 items are left out, because more came during the pause than fit here.")
	b.clean()
}

// heap returns how many bytes the page uses when everything that can be is collected.
func (b *tab) heap() (used float64) {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		if err := heapprofiler.CollectGarbage().Do(ctx); err != nil {
			return err
		}
		used, _, _, _, err = runtime.GetHeapUsage().Do(ctx)
		return err
	}))
	return used
}

// TestDashboardLiveOfAViewer checks that a viewer is told that it may not see events.
func TestDashboardLiveOfAViewer(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/app/live")
	b.signIn("viewer@example.com")
	b.sees("Only analysts and owners of the project see single events.")
	if got := b.value(`[...document.querySelectorAll("nav a")].some(a => a.textContent === "Live")`); got != "false" {
		t.Error("a viewer sees a way to live events")
	}
	b.clean()
}
