package doctor

import (
	"context"
	"errors"
	"math"
	"net/url"
	"os"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localpg"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// badServer starts a Postgres with settings that are all wrong, and no schema.
func badServer(t *testing.T) *localpg.Server {
	t.Helper()
	dir, err := platformtest.ServerDir("doctor")
	if err != nil {
		t.Fatal(err)
	}
	server, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Logger: platformtest.Discard(), Settings: map[string]string{
		"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "30", "shared_buffers": "16MB",
		"wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "timezone": "America/New_York", "max_prepared_transactions": "2",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Stop(context.Background()), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestServerWithBadSettings(t *testing.T) {
	t.Parallel()
	server := badServer(t)
	s := siteOf(t, server.URL())
	want(t, s, "postgres/version", OK, "Postgres 1")
	want(t, s, "postgres/durability", Problem, "fsync is off")
	want(t, s, "postgres/durability", Problem, "full_page_writes is off")
	want(t, s, "postgres/durability", Warning, "synchronous_commit is off")
	want(t, s, "postgres/connections", Problem, "the pools of the services may open 50")
	want(t, s, "postgres/settings", Warning, "wal_level is minimal")
	want(t, s, "postgres/settings", Warning, "shared_buffers is 16 MB")
	want(t, s, "postgres/settings", Warning, "time zone of new sessions is America/New_York")
	want(t, s, "postgres/autovacuum", Problem, "autovacuum is off")
	want(t, s, "roles/login", Warning, "is a superuser")

	want(t, s, "roles/services", Problem, "the role hp_ingest does not exist")
	execute(t, s, `CREATE ROLE hp_ingest NOLOGIN`, `CREATE ROLE hp_auth NOLOGIN SUPERUSER`, `CREATE ROLE weak LOGIN PASSWORD 'weak'`)
	want(t, s, "roles/services", Problem, "the role hp_auth is a superuser")
	weak, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	weak.User = url.UserPassword("weak", "weak")
	w := siteOf(t, weak.String())
	want(t, w, "roles/services", Problem, "the login weak may not assume the role hp_ingest")
	want(t, w, "roles/login", OK, "weak is no superuser")

	s.Hurry = true
	execute(t, s, `CREATE TABLE t ()`)
	conn := connectAs(t, server.URL())
	for _, sql := range []string{`BEGIN`, `LOCK TABLE t`, `PREPARE TRANSACTION 'forgotten'`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s, "sessions/transactions", Problem, "1 prepared transactions are open")
	execute(t, s, `ROLLBACK PREPARED 'forgotten'`)

	execute(t, s, `CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
	other, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	other.Path = "/ascii"
	want(t, siteOf(t, other.String()), "postgres/settings", Problem, "the encoding of the database is SQL_ASCII")
	execute(t, s, `ALTER DATABASE ascii SET default_transaction_read_only = on`)
	want(t, siteOf(t, other.String()), "postgres/version", Problem, "is read-only")
}

// A durable server with the settings of `up` is fine.
func TestServerWithGoodSettings(t *testing.T) {
	t.Parallel()
	s := siteOf(t, dbtest.StartServer(t).URL())
	want(t, s, "postgres/durability", OK, "are on")
	want(t, s, "postgres/connections", OK, "of 197 connections")
	want(t, s, "postgres/autovacuum", OK, "autovacuum is on")
	want(t, s, "roles/services", OK, "all 5 services")
	want(t, s, "disk/database", OK, "are free")
}

func TestServerVersions(t *testing.T) {
	t.Parallel()
	for text, test := range map[string]struct {
		got  Finding
		want Level
	}{
		"too old":              {judgeServer("14.9", 140009, false, false), Problem},
		"a standby":            {judgeServer("17.1", 170001, true, false), Problem},
		"new":                  {judgeServer("17.1", 170001, false, false), OK},
		"few connections left": {judgeConnections(100, 85, 50), Warning},
		"no connection left":   {judgeConnections(100, 98, 50), Problem},
	} {
		if test.got.Level != test.want {
			t.Errorf("%s: %+v", text, test.got)
		}
	}
}

func TestDiskIsJudged(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for text, test := range map[string]struct {
		u    usage
		want Level
	}{
		"unknown":            {usage{database: gib, perDay: gib, free: -1}, OK},
		"much is free":       {usage{database: gib, perDay: gib, free: 500 * gib, disk: 1000 * gib}, OK},
		"a month":            {usage{database: gib, perDay: gib, free: 20 * gib, disk: 100 * gib}, Warning},
		"a week":             {usage{database: gib, perDay: gib, free: 6 * gib, disk: 50 * gib}, Problem},
		"little, no growth":  {usage{database: gib, perDay: math.NaN(), free: 8 * gib, disk: 100 * gib}, Warning},
		"nothing, no growth": {usage{database: gib, perDay: math.NaN(), free: gib, disk: 100 * gib}, Problem},
		"a small database":   {usage{database: gib / 100, perDay: gib / 1000, free: gib, disk: 100 * gib}, OK},
	} {
		if f := test.u.judge(); f.Level != test.want {
			t.Errorf("%s: %+v", text, f)
		}
	}
}
