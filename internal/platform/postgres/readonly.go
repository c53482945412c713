package postgres

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ReadOnlyTransaction is the SQLSTATE of a write in a read-only transaction.
const ReadOnlyTransaction = "25006"

// acceptSessions makes connections leave a server that refuses writes, as the old primary does after a failover. Without it,
// a pool that connected to such a server would keep its connections, and every write would fail until the process restarts.
//
// A new connection is refused unless it can write; for a service that only reads, unless it is to a primary, because a
// standby lacks the locks that the watermark of analytics is read from. target_session_attrs in the URL takes precedence.
// An established connection is closed when it answers that it is read-only, so the next request connects again.
func acceptSessions(cfg Config, c *pgconn.Config) {
	if !strings.Contains(string(cfg.URL), "target_session_attrs=") {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		if cfg.ReadsOnly {
			c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
		}
	}
	keep := c.OnPgError
	c.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return keep(conn, err) && err.Code != ReadOnlyTransaction
	}
}
