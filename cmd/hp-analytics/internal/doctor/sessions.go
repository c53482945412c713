package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

const (
	transactionLong = 10 * time.Minute // from then on, dead rows pile up
	blockedLong     = 10 * time.Second
	walMuch         = 10 << 30 // bytes that a slot holds
)

// recounts are sessions that are expected to read for long.
const recounts = `('hp-analytics reconcile', 'hp-analytics rebuild', 'pg_dump')`

func longTransactions(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT pid, application_name, now() - xact_start, application_name IN ` + recounts + `
		FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND now() - xact_start >= $1
		ORDER BY xact_start`
	rows, _ := s.Login.Query(ctx, query, s.AtLeast(transactionLong)) // ForEachRow returns its error
	var findings []Finding
	var pid int
	var application string
	var age time.Duration
	var expected bool
	_, err := pgx.ForEachRow(rows, []any{&pid, &application, &age, &expected}, func() error {
		do := fmt.Sprintf("end it if nobody needs it: SELECT pg_terminate_backend(%d)", pid)
		if expected {
			do = "nothing, if it is meant to run now; until it ends, folds become slower"
		}
		findings = append(findings, checkup.Warn(do, "a transaction of %q has been open for %s (pid %d): no dead row since then can be removed", application, age.Round(time.Second), pid))
		return nil
	})
	if err != nil {
		return nil, err
	}
	var prepared int
	if err := s.Login.QueryRow(ctx, `SELECT count(*) FROM pg_prepared_xacts WHERE now() - prepared >= $1`, s.AtLeast(transactionLong)).Scan(&prepared); err != nil {
		return nil, err
	}
	if prepared > 0 {
		findings = append(findings, checkup.Wrong("SELECT gid FROM pg_prepared_xacts; then COMMIT PREPARED or ROLLBACK PREPARED",
			"%d prepared transactions are open and hold their locks over restarts; the platform makes none", prepared))
	}
	return checkup.OrFine(findings, "no transaction is older than %s", transactionLong)
}

func blocked(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT a.pid, a.application_name, max(now() - l.waitstart), pg_blocking_pids(a.pid)
		FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid AND NOT l.granted
		WHERE a.datname = current_database() AND l.locktype <> 'advisory'
		GROUP BY a.pid, a.application_name
		HAVING max(now() - l.waitstart) >= $1
		ORDER BY 3 DESC`
	rows, _ := s.Login.Query(ctx, query, s.AtLeast(blockedLong)) // ForEachRow returns its error
	var findings []Finding
	var pid int
	var application string
	var waits time.Duration
	var by []int
	_, err := pgx.ForEachRow(rows, []any{&pid, &application, &waits, &by}, func() error {
		findings = append(findings, checkup.Wrong(fmt.Sprintf("SELECT * FROM pg_stat_activity WHERE pid = ANY ('%s'); then pg_terminate_backend for the one in the way", pids(by)),
			"%q (pid %d) has waited for a lock of pid %s for %s", application, pid, pids(by), waits.Round(time.Second)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return checkup.OrFine(findings, "no session has waited for a lock for %s", blockedLong)
}

// pids formats an array as Postgres does.
func pids(all []int) string {
	texts := make([]string, len(all))
	for i, pid := range all {
		texts[i] = strconv.Itoa(pid)
	}
	return "{" + strings.Join(texts, ",") + "}"
}

func slots(ctx context.Context, s *Site) ([]Finding, error) {
	const query = `
		SELECT slot_name, active, coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
		FROM pg_replication_slots
		WHERE NOT temporary
		ORDER BY slot_name`
	rows, _ := s.Login.Query(ctx, query) // ForEachRow returns its error
	var findings []Finding
	var name string
	var active bool
	var held int64
	_, err := pgx.ForEachRow(rows, []any{&name, &active, &held}, func() error {
		do := "start its standby or subscriber again, or SELECT pg_drop_replication_slot('" + name + "'); max_slot_wal_keep_size bounds what a slot holds"
		switch {
		case held >= walMuch:
			findings = append(findings, checkup.Wrong(do, "the replication slot %s holds %s of WAL: the disk fills up", name, checkup.Size(float64(held))))
		case !active:
			findings = append(findings, checkup.Warn(do, "nobody reads the replication slot %s, which holds %s of WAL and keeps all that follows", name, checkup.Size(float64(held))))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return checkup.OrFine(findings, "no replication slot holds much WAL")
}
