package digest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

// TestSlowReceiver checks that receivers of a project which do not answer hold up no other project, and never more than two deliveries of it are
// under way. What becomes due in the meantime is planned and sent, too.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	reached, release := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	}))
	defer server.Close()
	free := sync.OnceFunc(func() { close(release) })
	defer free() // before the server waits for its requests
	for range 5 {
		o.digest(server.URL)
	}
	o.owned(`INSERT INTO auth.projects (slug, name) VALUES ('shop', 'Shop')`)
	s := o.process()
	rounds := make(chan error, 1)
	go func() { rounds <- s.Round(context.WithoutCancel(t.Context())) }()
	<-reached
	<-reached

	mail := o.digest("")
	o.exec(`UPDATE workspace.digests SET project = (SELECT id FROM auth.projects WHERE slug = 'shop') WHERE id = $1`, mail)
	o.exec(`INSERT INTO workspace.deliveries (id, digest, test, first_day, last_day, next_at) VALUES ($1, $2, false, '2026-03-14', '2026-03-14', $3)`, uuid.NewString(), mail, o.clock())
	if err := s.dispatch(t.Context()); err != nil {
		t.Error(err)
	}
	platformtest.Eventually(t, 10*time.Second, "the other project gets its digest", func() bool { return len(o.smtp.kept()) == 1 })
	if len(reached) != 0 {
		t.Errorf("%d more deliveries of the slow project are under way", len(reached))
	}
	free()
	if err := <-rounds; err != nil {
		t.Error(err)
	}
	for _, line := range o.deliveries() {
		if !strings.HasSuffix(line, "sent 1") {
			t.Errorf("a delivery is %q", line)
		}
	}
}

// TestPlanningIsCheap checks that what is due is looked for at each quarter of an hour, and what is old once an hour.
func TestPlanningIsCheap(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.process()
	o.round(s)
	o.digest("")
	old := func() {
		o.exec(`INSERT INTO workspace.deliveries (id, digest, test, first_day, last_day, state, created_at)
			SELECT gen_random_uuid(), id, true, '2025-01-01', '2025-01-01', 'sent', '2025-01-01' FROM workspace.digests`)
	}
	old()
	o.pass(period.Grid - time.Second)
	o.round(s)
	o.want("2025-01-01 sent 0")
	o.pass(time.Second)
	o.round(s)
	o.want("2025-01-01 sent 0", "2026-03-14 sent 1")
	o.pass(45 * time.Minute)
	o.round(s)
	o.want("2026-03-14 sent 1")
}

// TestLateDigest checks that a digest which was due while nothing ran is sent once, and says that it is late, and that one in time does not.
func TestLateDigest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	o.round(o.process())
	o.pass(3*24*time.Hour + 2*time.Hour)
	o.round(o.process())
	o.want("2026-03-14 sent 1", "2026-03-17 sent 1")
	letters := o.smtp.kept()
	if len(letters) != 2 || strings.Contains(letters[0], "LATE") || !strings.Contains(letters[1], "LATE: this was to be sent at 08:00 on 18 March 2026 (UTC)") {
		t.Errorf("the letters are %q", letters)
	}
}

// TestWaitsWhileNothingRuns checks that what was planned before the processes stopped for more than a day is sent late, and not given up.
func TestWaitsWhileNothingRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.digest("")
	if err := o.process().prepare(t.Context()); err != nil { // and no more: it stops
		t.Fatal(err)
	}
	o.pass(expired + time.Hour)
	o.round(o.process())
	o.want("2026-03-14 sent 1", "2026-03-15 sent 1")
	if letters := strings.Join(o.smtp.kept(), ""); !strings.Contains(letters, "LATE: this was to be sent at 08:00 on 15 March 2026 (UTC)") {
		t.Errorf("the letters are %q", letters)
	}
}

// TestTurnEndsBeforeItsClaim checks that a delivery which waits for the numbers of others gives up while there is time to send and to record what became
// of it, before another process takes its claim for abandoned.
func TestTurnEndsBeforeItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Now: time.Now}, prometheus.NewRegistry())
		s.reading <- struct{}{} // and it never ends
		claimed := time.Now()
		if _, err := s.compose(t.Context(), &delivery{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(claimed); took+2*sendTimeout >= abandoned {
			t.Errorf("it waited for %s", took)
		}
	})
}

// TestWhoGetsNothing checks that nothing is sent of an archived project, neither then nor when it is in use again much later, nor to members whose
// accounts are disabled.
func TestWhoGetsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id := o.digest("")
	s := o.process()
	if err := s.plan(t.Context(), o.now); err != nil {
		t.Fatal(err)
	}
	o.exec(`UPDATE auth.projects SET archived_at = now()`)
	o.round(s)
	o.want("2026-03-14 waiting 0")
	o.pass(25 * time.Hour)
	o.round(s)
	o.want("2026-03-14 failed 0 It was not sent: it was disabled or changed before, or the project was archived.")
	o.exec(`UPDATE auth.projects SET archived_at = NULL`)
	if letters := o.smtp.kept(); len(letters) != 0 {
		t.Errorf("sent: %q", letters)
	}

	o.exec(`DELETE FROM workspace.deliveries`)
	o.exec(`INSERT INTO auth.users (id, email, password_hash, disabled_at) VALUES ($1, 'ada@example.com', '', now())`, uuid.NewString())
	o.exec(`INSERT INTO auth.members (project, user_id, role) SELECT 1, id, 'viewer' FROM auth.users`)
	o.exec(`UPDATE workspace.digests SET recipients = '{Ada@example.com,bob@example.com}'`)
	o.round(o.process())
	if letters := o.smtp.kept(); len(letters) != 1 || strings.Contains(strings.ToLower(letters[0]), "ada@example.com") || !strings.Contains(letters[0], "bob@example.com") {
		t.Errorf("sent: %q", letters)
	}
	o.exec(`DELETE FROM workspace.deliveries`)
	o.exec(`UPDATE workspace.digests SET recipients = '{ada@example.com}' WHERE id = $1`, id)
	o.round(o.process())
	o.want("2026-03-15 failed 1 The accounts of all recipients are disabled.")
}
