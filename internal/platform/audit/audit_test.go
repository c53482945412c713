package audit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// record commits an entry, with undo as the error of the rest of the transaction.
func record(ctx context.Context, db *pgxpool.Pool, e audit.Entry, undo error) error {
	return postgres.InTx(ctx, db, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := audit.Record(ctx, tx, e); err != nil {
			return err
		}
		return undo
	})
}

// rows returns the rows of the log as texts, oldest first.
func rows(t *testing.T, database *dbtest.Database) []string {
	t.Helper()
	const query = `
		SELECT concat_ws(' ', actor_kind, actor, coalesce(project::text, '-'), action, subject, details, coalesce(request_id, '-'), coalesce(host(address), '-'))
		FROM audit.log ORDER BY id`
	found, err := database.Pool("").Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// A row says who has done it: the caller of the request, else the command, unless the entry names somebody.
func TestActors(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db := database.Pool("hp_catalog")
	e := audit.Entry{Action: "thing.made", Project: 7, Subject: "thing:1", Details: audit.Details{"n": 1}}
	command := audit.WithCommand(t.Context())
	ada := authn.WithPrincipal(command, authn.Principal{Subject: "ada", Owner: "ada"})
	key := authn.WithPrincipal(t.Context(), authn.Principal{KeyID: "k", Owner: "ada"})
	named := e
	named.Actor, named.Project = audit.Service("ingest"), 0
	for _, step := range []struct {
		ctx context.Context
		e   audit.Entry
	}{{ada, e}, {key, e}, {command, e}, {ada, named}} {
		if err := record(step.ctx, db, step.e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := record(t.Context(), db, e, nil); err == nil || !strings.Contains(err.Error(), "neither a caller nor a command") {
		t.Errorf("nobody: %v", err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`user ada 7 thing.made thing:1 {"n": 1} - -`, `key k 7 thing.made thing:1 {"n": 1} - -`,
		"command " + me.Username + ` 7 thing.made thing:1 {"n": 1} - -`, `service ingest - thing.made thing:1 {"n": 1} - -`,
	}
	if diff := cmp.Diff(want, rows(t, database)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A row of a request has its id and the address of its client.
func TestRequests(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db := database.Pool("hp_auth")
	deps := platformtest.Deps(t)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: httpserver.Config{RequestTimeout: time.Minute, AccessLog: "none"}, Logger: deps.Logger, Registerer: deps.Registerer,
		Gatherer: deps.Gatherer, TracerProvider: deps.TracerProvider, Health: httpserver.NewHealth(deps.Logger),
	})
	router.Post("/", func(w http.ResponseWriter, r *http.Request) {
		if err := record(r.Context(), db, audit.Entry{Action: "thing.made", Actor: audit.User("ada")}, nil); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("X-Request-Id", "r-1")
	r.RemoteAddr = "[2001:db8::1]:5"
	router.ServeHTTP(httptest.NewRecorder(), r)
	if diff := cmp.Diff([]string{"user ada - thing.made  {} r-1 2001:db8::1"}, rows(t, database)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Rows share the fate of their transactions, and whatever cannot be recorded undoes its action.
func TestSharedFate(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db, ctx := database.Pool("hp_aggregator"), audit.WithCommand(t.Context())
	undo := errors.New("undo")
	if err := record(ctx, db, audit.Entry{Action: "thing.made"}, undo); !errors.Is(err, undo) {
		t.Error(err)
	}
	for name, bad := range map[string]audit.Entry{
		"no action":  {},
		"no dot":     {Action: "made"},
		"a secret":   {Action: "account.made", Details: audit.Details{"new_password": "x"}},
		"no JSON":    {Action: "account.made", Details: audit.Details{"f": func() {}}},
		"long names": {Action: strings.Repeat("a", 64) + ".made"},
	} {
		if err := record(ctx, db, bad, nil); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
	if got := rows(t, database); len(got) != 0 {
		t.Errorf("recorded: %v", got)
	}
	// A role without the privilege cannot act, either.
	if err := record(ctx, database.Pool("hp_analytics"), audit.Entry{Action: "thing.made"}, nil); err == nil {
		t.Error("recorded without the privilege")
	}
}

// What users choose can be long, and have any characters.
func TestBounds(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db, ctx := database.Pool("hp_ingest"), audit.WithCommand(t.Context())
	for _, e := range []audit.Entry{
		{Action: "thing.made", Actor: audit.User("a"), Subject: "x\x00" + strings.Repeat("ä", 200)},
		{Action: "thing.made", Actor: audit.User("a"), Details: audit.Details{"name": "\x00é<"}},
		{Action: "thing.made", Actor: audit.User("a"), Details: audit.Details{"name": strings.Repeat("x", 5000)}},
		{Action: "thing.made", Actor: audit.User("a"), Details: audit.Details{"n": make([]int, 2040)}}, // Postgres shows it with spaces
	} {
		if err := record(ctx, db, e, nil); err != nil {
			t.Error(err)
		}
	}
	got := rows(t, database)
	if len(got) != 4 || !strings.Contains(got[0], "x?"+strings.Repeat("ä", 149)+" ") ||
		!strings.Contains(got[1], `{"name": "`+"\ufffd"+`é<"}`) || !strings.Contains(got[2], `{"omitted_bytes": 5011}`) || !strings.Contains(got[3], `{"n": [0, 0,`) {
		t.Errorf("%q", got)
	}
}
