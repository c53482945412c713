package aggregator

import (
	"errors"
	"fmt"
	"math"
	"net/mail"
	"net/netip"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
)

// Config is the configuration of the aggregator.
type Config struct {
	frame.Config

	// Concurrency is how many folds run at once in this process. More replicas do the same as more concurrency.
	Concurrency int `env:"AGGREGATOR_CONCURRENCY, default=2"`
	// Lanes bounds the folds that run at once over all replicas, and with it the number of rollup rows per key that readers
	// add up. It can be changed at any time: rows of lanes that are no longer used still count.
	Lanes int `env:"AGGREGATOR_LANES, default=16"`
	// FoldRows is how many rows a fold claims. Larger folds cost less per row.
	FoldRows int `env:"FOLD_ROW_BUDGET, default=50000"`
	// FoldBytes is the memory for the counts and sketches of all folds of this process together. A fold that needs more than
	// its share adds its rows to the rollups in parts, which costs more updates but no more memory. On top of it the process needs
	// 64 MiB and 15 MiB for each fold: a quarter of the container's memory limit is right.
	FoldBytes int `env:"AGGREGATOR_FOLD_BYTES, default=67108864"`
	// ReceiptDays is how long a receipt (GET /events/batches/{id}) is kept after its batch was folded.
	ReceiptDays int `env:"RECEIPT_DAYS, default=7"`
	// RetentionDays is how long raw events are kept. They are dropped by whole weeks, when the last day of a week (Sunday, in UTC) is past
	// it, so an event is kept for up to a week longer, and 0 is not possible. Rollups, orders and refunds are kept forever. Ingest needs the same value or a smaller one,
	// or requests with events of dropped days pass its rules and are refused only when they are stored.
	RetentionDays int `env:"RETENTION_DAYS, default=90"`
	// ProgressDeadline is how long a batch may be pending while this process folds nothing before the process reports itself
	// unready.
	ProgressDeadline time.Duration `env:"PROGRESS_DEADLINE, default=60s"`

	SMTP SMTP

	// WebhookNetworks are networks in CIDR notation to which digests may be sent although they are not public, such as 10.1.0.0/16. Every
	// analyst of a project can make this process send requests to all addresses and ports there. None by default.
	WebhookNetworks []string `env:"WEBHOOK_ALLOW_NETWORKS"`
	// DashboardURL is the address of the dashboard, to which e-mails link. Without it they have no link.
	DashboardURL string `env:"DASHBOARD_URL"`
}

// SMTP is the server that takes e-mails.
type SMTP struct {
	// Host is its name. Without one, digests by e-mail fail, and say so.
	Host string `env:"SMTP_HOST"`
	Port int    `env:"SMTP_PORT, default=587"`
	// Username is empty for a server that asks for none.
	Username string        `env:"SMTP_USERNAME"`
	Password config.Secret `env:"SMTP_PASSWORD"`
	// From is the sender, such as "HP Analytics <analytics@example.com>". Needed with a host.
	From string `env:"SMTP_FROM"`
	// TLS is starttls (refuses a server without it), tls (from the first byte, usually port 465) or none. With none, the password and the
	// numbers can be read on the way.
	TLS string `env:"SMTP_TLS, default=starttls"`
}

func (c *SMTP) problems() (problems []error) {
	if c.Port < 1 || c.Port > math.MaxUint16 {
		problems = append(problems, fmt.Errorf("SMTP_PORT: must be between 1 and %d, not %d", math.MaxUint16, c.Port))
	}
	if c.TLS != "starttls" && c.TLS != "tls" && c.TLS != "none" {
		problems = append(problems, fmt.Errorf("SMTP_TLS: must be starttls, tls or none, not %q", c.TLS))
	}
	if _, err := mail.ParseAddress(c.From); err != nil && c.Host != "" {
		problems = append(problems, fmt.Errorf("SMTP_FROM: must be an e-mail address, not %q", c.From))
	}
	return problems
}

// networks returns the networks of WEBHOOK_ALLOW_NETWORKS.
func (c *Config) networks() ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(c.WebhookNetworks))
	for _, text := range c.WebhookNetworks {
		if text == "" { // of a variable that is set to nothing
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("WEBHOOK_ALLOW_NETWORKS: %q is no network in CIDR notation, such as 10.1.0.0/16", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// minFoldBytes is the least share of a fold. With less, parts would have some hundred rows.
const minFoldBytes = 1 << 20

// folds is how many folds this process runs at once at most: those of the workers and one of the schedule, which sweeps, and
// retries failed batches.
func (c *Config) folds() int { return c.Concurrency + 1 }

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	for _, n := range []struct {
		name            string
		value, min, max int
	}{
		{"AGGREGATOR_CONCURRENCY", c.Concurrency, 1, 64},
		{"AGGREGATOR_LANES", c.Lanes, 1, math.MaxInt16},
		{"FOLD_ROW_BUDGET", c.FoldRows, 1, 1_000_000},
		{"RECEIPT_DAYS", c.ReceiptDays, 1, 365},
		{"RETENTION_DAYS", c.RetentionDays, 1, 36_500},
	} {
		if n.value < n.min || n.value > n.max {
			problems = append(problems, fmt.Errorf("%s: must be between %d and %d, not %d", n.name, n.min, n.max, n.value))
		}
	}
	if least := c.folds() * minFoldBytes; c.FoldBytes < least {
		problems = append(problems, fmt.Errorf("AGGREGATOR_FOLD_BYTES: must be at least %d (1 MiB for each of AGGREGATOR_CONCURRENCY + 1 folds), not %d", least, c.FoldBytes))
	}
	if c.ProgressDeadline < time.Second {
		problems = append(problems, fmt.Errorf("PROGRESS_DEADLINE: must be at least 1s, not %s", c.ProgressDeadline))
	}
	problems = append(problems, c.SMTP.problems()...)
	if _, err := c.networks(); err != nil {
		problems = append(problems, err)
	}
	// Each fold needs a connection. The leader lock, the sweeps, the merges, the maintenance, the digests, the progress monitor, and erasures
	// with changes of time zones, which take turns, need one each.
	if need := int32(c.Concurrency) + 7; c.Postgres.MaxConns < need {
		problems = append(problems, fmt.Errorf("DATABASE_MAX_CONNS: must be at least AGGREGATOR_CONCURRENCY + 7 = %d, not %d", need, c.Postgres.MaxConns))
	}
	return errors.Join(problems...)
}
