package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// failTwice lets the next two statements that write a table fail with a code, as deadlocks do. A sequence counts them: it does not
// forget what was rolled back.
func failTwice(t *testing.T, database *dbtest.Database, write, table, code string) {
	t.Helper()
	execute(t, database, `
		CREATE SEQUENCE attempts;
		GRANT USAGE ON attempts TO hp_ingest;
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('public.attempts') <= 2 THEN RAISE EXCEPTION USING ERRCODE = '`+code+`', MESSAGE = 'a deadlock'; END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER fail AFTER `+write+` ON `+table+` FOR EACH STATEMENT EXECUTE FUNCTION fail()`)
}

// TestDeadlocksAreRepeated ends each kind of statement that writes twice.
func TestDeadlocksAreRepeated(t *testing.T) {
	t.Parallel()
	users := []dictionary.Key{{Project: 1, ID: "anna"}, {Project: 1, Anonymous: true, ID: "visitor"}}
	for name, test := range map[string]struct {
		write, table string
		run          func(t *testing.T, s *Store, database *dbtest.Database, fail func()) error
	}{
		"users": {"INSERT", "ingest.users", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			_, err := s.NumberUsers(t.Context(), users)
			return err
		}},
		"joins": {"UPDATE", "ingest.users", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			known, err := s.NumberUsers(t.Context(), users)
			if err != nil {
				return err
			}
			fail()
			join := dictionary.Join{Project: 1, Anonymous: known[users[1]].N, Person: known[users[0]].N}
			joined, err := s.JoinUsers(t.Context(), []dictionary.Join{join})
			if joined[join] != join.Person {
				t.Errorf("joined %v", joined)
			}
			return err
		}},
		"names": {"INSERT", "ingest.names", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			_, err := s.NumberNames(t.Context(), []dictionary.Name{{NameRef: event.NameRef{Project: 1, Name: "Signed Up"}}})
			return err
		}},
		"times": {"INSERT", "ingest.event_times", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			_, err := s.FirstTimes(t.Context(), []event.Receipt{{Project: 1, ID: uuid.New(), TS: time.Now()}})
			return err
		}},
		"placeholders": {"INSERT", "catalog.products", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			return s.CreatePlaceholders(t.Context(), []event.Ref{{Project: 1, SKU: "NEW"}}, "EUR")
		}},
		"events": {"INSERT", "ingest.events", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			_, err := s.StoreEvents(t.Context(), someEvents(2))
			return err
		}},
		"orders": {"INSERT", "ingest.orders", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			fail()
			outcomes, err := s.StoreOrders(t.Context(), []order.Order{anOrder("")})
			return errors.Join(err, outcomes[0].Err)
		}},
		"keys of orders": {"INSERT", "ingest.idempotency_keys", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			first, again := anOrder(""), anOrder("again")
			if _, err := s.StoreOrders(t.Context(), []order.Order{first}); err != nil {
				return err
			}
			again.Key, again.ContentHash = first.Key, first.ContentHash
			fail()
			outcomes, err := s.StoreOrders(t.Context(), []order.Order{again})
			return errors.Join(err, outcomes[0].Err)
		}},
		"refunds": {"INSERT", "ingest.refunds", func(t *testing.T, s *Store, _ *dbtest.Database, fail func()) error {
			bought := anOrder("")
			if _, err := s.StoreOrders(t.Context(), []order.Order{bought}); err != nil {
				return err
			}
			fail()
			outcomes, err := s.StoreRefunds(t.Context(), []order.Refund{anAmount(bought, 1)})
			return errors.Join(err, outcomes[0].Err)
		}},
	} {
		for _, code := range []string{postgres.DeadlockDetected, postgres.SerializationFailure} {
			t.Run(strings.ReplaceAll(name, " ", "_")+"/"+code, func(t *testing.T) {
				t.Parallel()
				s, database := newStore(t)
				if err := test.run(t, s, database, func() { failTwice(t, database, test.write, test.table, code) }); err != nil {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// TestRepeatingEnds after some attempts, and at once with another error.
func TestRepeatingEnds(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{postgres.DeadlockDetected: maxRepeats + 1, postgres.UniqueViolation: 1} {
		attempts := 0
		err := repeated(func() error {
			attempts++
			return &pgconn.PgError{Code: code}
		})
		if err == nil || attempts != want {
			t.Errorf("%s: %v after %d attempts, want %d", code, err, attempts, want)
		}
	}
}

// TestUsersAreLockedInOrder lowers first_seen of two users, in the wrong order, while the first of them is locked: the second one is not
// locked yet.
func TestUsersAreLockedInOrder(t *testing.T) {
	t.Parallel()
	_, database := newStore(t)
	execute(t, database, `INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE VALUES (1, false, 900901, 'anna'), (1, false, 900902, 'ben')`)
	held, err := database.Pool("").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback(context.WithoutCancel(t.Context()))
	if _, err := held.Exec(t.Context(), `SELECT FROM ingest.users WHERE n = 900901 FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	lowered := make(chan error, 1)
	go func() {
		_, err := database.Pool("hp_ingest").Exec(t.Context(), `
			WITH seen AS MATERIALIZED (SELECT * FROM (VALUES (1::smallint, 900902::bigint, now()), (1::smallint, 900901::bigint, now())) AS s (project, user_n, ts)),
			lowered AS (`+lowerFirstSeen+`)
			SELECT`)
		lowered <- err
	}()
	platformtest.Eventually(t, time.Minute, "the statement waits", func() bool {
		return count(t, database, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	})
	if n := count(t, database, `WITH free AS (SELECT FROM ingest.users WHERE n = 900902 FOR UPDATE SKIP LOCKED) SELECT count(*) FROM free`); n != 1 {
		t.Error("the second user is locked before the first one")
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-lowered; err != nil {
		t.Error(err)
	}
	if n := count(t, database, `SELECT count(first_seen) FROM ingest.users WHERE n IN (900901, 900902)`); n != 2 {
		t.Errorf("%d users are seen", n)
	}
}
