package host_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// replay stands before a platform, and answers for live events itself: with an event of the platform, again and again, as an hour would bring it.
type replay struct {
	opening string // what an answer begins with
	event   string // a message with an event of the type "recorded"
	id      string // of that event
	numbers chan int
}

// perAnswer is how many events an answer has until it ends, as it does when a token ends.
const perAnswer = 10_000

func (r *replay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	_, _ = io.WriteString(w, r.opening)
	for range perAnswer {
		var n int
		select {
		case n = <-r.numbers:
		default:
			_ = flush() // there is nothing more to write for the moment
			select {
			case n = <-r.numbers:
			case <-request.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, strings.NewReplacer("recorded", fmt.Sprintf("step %d", n), r.id, uuid.NewString()).Replace(r.event))
	}
}

// recordLive reads what the platform says of an event.
func recordLive(t *testing.T, s shop) *replay {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/analytics/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", s.admin)
	request.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	r := &replay{numbers: make(chan int)}
	lines, message := bufio.NewScanner(answer.Body), ""
	for lines.Scan() {
		message += lines.Text() + "\n"
		if lines.Text() != "" {
			continue
		}
		switch {
		case strings.Contains(message, `"recorded"`):
			r.event = message
			return r
		case strings.Contains(message, "event: ready"):
			r.opening = message
			r.id = s.send(http.MethodPost, "/events", s.key, `{"type":"recorded","user_id":"walker","properties":{"n":1}}`)["id"].(string)
		}
		message = ""
	}
	t.Fatalf("the stream ends before the event: %v", lines.Err())
	return nil
}

// TestDashboardLiveForAnHour brings a page what an hour does, 100,000 events in ten answers, as fast as it takes them: what it holds is the same
// after 20,000.
func TestDashboardLiveForAnHour(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	events := recordLive(t, s)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	routes.Handle("GET /analytics/live", events)
	front := httptest.NewServer(routes)
	t.Cleanup(front.Close)
	b := newTab(t, front.URL)
	b.open("/app/live")
	b.signIn("admin@example.com")
	b.until(connection + ` === "Live"`)
	bring := func(from, to int) {
		for n := from; n < to; n++ {
			select {
			case events.numbers <- n:
			case <-b.ctx.Done():
				t.Fatalf("the page took %d events in all the time that the test has", n)
			}
		}
		b.until(fmt.Sprintf(liveNames+`[0] === "step %d"`, to-1))
	}
	bring(0, 20_000)
	heap := b.heap()
	bring(20_000, 100_000)
	const most = 1 << 20 // 80,000 events are 30 MB
	if grown := b.heap() - heap; grown > most {
		t.Errorf("after 80,000 more events the heap is %.0f bytes larger", grown)
	}
	if got := b.value(liveNames + `.length`); got != "100" {
		t.Errorf("the page has %s rows", got)
	}
	b.clean()
}
