package servers

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Postgres measures the server of a pool, as far as its own database is concerned.
type Postgres struct{ Pool *pgxpool.Pool }

// postgresMetric is a metric of Postgres with the expression that gives its value. NULL means that it is not known.
type postgresMetric struct {
	metric
	value string
}

type postgresList []postgresMetric

// postgresMetrics are read in one statement. pg_stat_database and pg_stat_user_tables show every role the same.
var postgresMetrics = postgresList{
	{gauge("hpa_postgres_server_database_bytes", "Size of the database on disk."),
		`CASE WHEN has_database_privilege(current_database(), 'CONNECT') THEN pg_database_size(current_database())::float8 END`},
	{gauge("hpa_postgres_server_connections", "Connections to the database, of all clients."), `d.numbackends::float8`},
	{gauge("hpa_postgres_server_connections_max", "Limit of connections of the server (max_connections)."), `current_setting('max_connections')::float8`},
	{counter("hpa_postgres_server_commits_total", "Transactions that were committed."), `d.xact_commit::float8`},
	{counter("hpa_postgres_server_rollbacks_total", "Transactions that were rolled back."), `d.xact_rollback::float8`},
	{counter("hpa_postgres_server_deadlocks_total", "Deadlocks that the server has broken."), `d.deadlocks::float8`},
	{counter("hpa_postgres_server_blocks_hit_total", "Blocks that were found in the server's buffers."), `d.blks_hit::float8`},
	{counter("hpa_postgres_server_blocks_read_total", "Blocks that were read from the operating system."), `d.blks_read::float8`},
	{counter("hpa_postgres_server_temp_bytes_total", "Bytes of sorts and hashes that did not fit into memory (work_mem)."), `d.temp_bytes::float8`},
	{counter("hpa_postgres_server_wal_bytes_total", "Bytes of write-ahead log, of the whole server."),
		`CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 END`},
	{gauge("hpa_postgres_server_dead_rows", "Rows that were deleted or replaced and that vacuum has not removed yet."),
		`(SELECT sum(n_dead_tup)::float8 FROM pg_stat_user_tables)`},
	{gauge("hpa_postgres_server_transaction_age", "Transactions since the oldest row that is not frozen. Postgres stops writing at two billion."),
		`(SELECT age(datfrozenxid)::float8 FROM pg_database WHERE datname = current_database())`},
}

func (p Postgres) measure(ctx context.Context) ([]prometheus.Metric, error) {
	var values []string
	for _, m := range postgresMetrics {
		values = append(values, m.value)
	}
	rows, err := p.Pool.Query(ctx, `SELECT `+strings.Join(values, ", ")+` FROM pg_stat_database AS d WHERE d.datname = current_database()`)
	if err != nil {
		return nil, fmt.Errorf("measure Postgres: %w", err)
	}
	read, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		return nil, fmt.Errorf("measure Postgres: %w", err)
	}
	var metrics []prometheus.Metric
	for i, m := range postgresMetrics {
		if value, known := read[i].(float64); known {
			metrics = append(metrics, m.of(value))
		}
	}
	return metrics, nil
}

func (l postgresList) descs() (all []*prometheus.Desc) {
	for _, m := range l {
		all = append(all, m.desc)
	}
	return all
}
