package erase_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/aggregator/erasure"
)

// verify returns the report of a receipt.
func (b *books) verify(receipt uuid.UUID) erasure.Report {
	b.t.Helper()
	reports, err := erasure.Verify(b.t.Context(), b.pool, erasure.Options{Project: "default", Receipt: receipt})
	if err != nil || len(reports) != 1 {
		b.t.Fatalf("%d reports, %v", len(reports), err)
	}
	return reports[0]
}

// TestVerificationFindsEveryTampering puts something of an erased user back into each table.
func TestVerificationFindsEveryTampering(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.join(b.Users[0], "v", b.Users[1]) // the two have refunds
	receipt := b.ask(1, false, "user-1")
	if b.verify(receipt).OK() {
		t.Error("an erasure that waits is verified")
	}
	n := b.Users[0]
	set := one[[]byte](b, `SELECT users FROM stats.daily_user_sets ORDER BY day, lane LIMIT 1`)
	if !contains(t, set, n) {
		t.Fatal("the user is not part of the first set")
	}
	b.erase()
	if report := b.verify(receipt); !report.OK() || report.Numbers != 2 {
		t.Fatalf("after the erasure: %+v", report)
	}
	for table, tamper := range map[string]struct{ change, back string }{
		"ingest.users":             {`INSERT INTO ingest.users (project, anonymous, id, n) OVERRIDING SYSTEM VALUE VALUES (1, false, 'x', $1)`, `DELETE FROM ingest.users WHERE n = $1`},
		"ingest.events":            {`UPDATE ingest.events SET user_n = $1 WHERE id = (SELECT id FROM ingest.events WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.events SET user_n = 0 WHERE user_n = $1`},
		"ingest.orders":            {`UPDATE ingest.orders SET user_n = $1 WHERE id = (SELECT id FROM ingest.orders WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.orders SET user_n = 0 WHERE user_n = $1`},
		"ingest.refunds":           {`UPDATE ingest.refunds SET user_n = $1 WHERE id = (SELECT id FROM ingest.refunds WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.refunds SET user_n = 0 WHERE user_n = $1`},
		"stats.user_daily_stats":   {`INSERT INTO stats.user_daily_stats (project, user_n, day, lane) VALUES (1, $1, '2026-01-01', 0)`, `DELETE FROM stats.user_daily_stats WHERE user_n = $1`},
		"stats.user_daily_revenue": {`INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, lane) VALUES (1, $1, '2026-01-01', 'EUR', 0)`, `DELETE FROM stats.user_daily_revenue WHERE user_n = $1`},
		"ingest.events of nobody":  {`UPDATE ingest.events SET properties = '{}' WHERE $1 > 0 AND id = (SELECT id FROM ingest.events WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.events SET properties = NULL WHERE $1 > 0 AND user_n = 0`},
		"ingest.orders of nobody":  {`UPDATE ingest.orders SET properties = '{}' WHERE $1 > 0 AND id = (SELECT id FROM ingest.orders WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.orders SET properties = NULL WHERE $1 > 0 AND user_n = 0`},
		"ingest.refunds of nobody": {`UPDATE ingest.refunds SET reason = 'why' WHERE $1 > 0 AND id = (SELECT id FROM ingest.refunds WHERE user_n = 0 LIMIT 1)`, `UPDATE ingest.refunds SET reason = NULL WHERE $1 > 0 AND user_n = 0`},
	} {
		b.exec(tamper.change, n)
		report := b.verify(receipt)
		if report.OK() || report.Left() != 1 {
			t.Errorf("%s: %+v", table, report)
		}
		for _, found := range report.Tables {
			if found.Left != 0 && found.Name != table {
				t.Errorf("%s was changed, %s is reported", table, found.Name)
			}
		}
		b.exec(tamper.back, n)
	}
	b.exec(`UPDATE stats.daily_user_sets SET users = $1 WHERE (day, lane) = (SELECT day, lane FROM stats.daily_user_sets ORDER BY day, lane LIMIT 1)`, set)
	if report := b.verify(receipt); report.OK() || report.Tables[len(report.Tables)-1].Left != 1 {
		t.Errorf("a set: %+v", report)
	}
}

// TestVerificationByUser names the user in place of the receipt, before and after it comes back.
func TestVerificationByUser(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.join(b.Users[0], "v", b.Users[1])
	b.ask(1, false, "user-1")
	b.ask(1, false, "user-3")
	b.erase()
	look := func(id string) ([]erasure.Report, error) {
		return erasure.Verify(t.Context(), b.pool, erasure.Options{Project: "default", User: id})
	}
	for _, id := range []string{"user-1", "v"} {
		if reports, err := look(id); err != nil || len(reports) != 1 || !reports[0].OK() || reports[0].Back || reports[0].Numbers != 2 {
			t.Errorf("%s: %+v, %v", id, reports, err)
		}
	}
	b.exec(`INSERT INTO ingest.users (project, anonymous, id) VALUES (1, false, 'user-1')`)
	if reports, err := look("user-1"); err != nil || !reports[0].OK() || !reports[0].Back {
		t.Errorf("after it came back: %+v, %v", reports, err)
	}
	if _, err := look("user-4"); !errors.Is(err, erasure.ErrNoUser) {
		t.Errorf("a user that was not erased: %v", err)
	}
	for _, o := range []erasure.Options{{Project: "nowhere", User: "user-1"}, {Project: "default", Receipt: uuid.New()}} {
		if _, err := erasure.Verify(t.Context(), b.pool, o); !errors.Is(err, erasure.ErrNoProject) && !errors.Is(err, erasure.ErrNoReceipt) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
