// Package audit writes the audit log: who has done what to accounts, keys, projects and the installation. A service calls Record
// in the transaction of the action, so that neither the action nor its row exists without the other.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Entry is what an action adds to the log.
type Entry struct {
	// Action is a stable dotted name, such as key.created. openapi.yaml lists those of operations (x-audit).
	Action string
	// Project is where it was done; 0 for the whole installation.
	Project int16
	// Subject is what it was done to: a kind and an id, such as account:0195a3f2-…. What is longer than 300 bytes is cut.
	Subject string
	// Details say what changed. They must not have secrets: Record refuses members with the names of passwords, hashes and tokens.
	Details Details
	// Actor is who did it. The zero Actor is the caller of the request, or the command, of the context.
	Actor Actor
}

// Details are members of a JSON object. When their JSON is longer than 4 KiB, only its size is recorded.
type Details map[string]any

// The bounds of a row, in bytes.
const (
	maxSubject = 300
	maxDetails = 4 << 10
)

// Record adds a row to the log in tx, whose role is that of a service. An error must end the transaction.
func Record(ctx context.Context, tx pgx.Tx, e Entry) error {
	actor, err := e.actor(ctx)
	if err != nil {
		return err
	}
	details, err := e.Details.encode()
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	const insert = `
		INSERT INTO audit.log (id, actor_kind, actor, project, action, subject, details, request_id, address)
		VALUES ($1, $2, $3, nullif($4, 0::smallint), $5, $6, $7, nullif($8, ''), $9)`
	_, err = tx.Exec(ctx, insert, uuid.Must(uuid.NewV7()), actor.kind, postgres.Text(actor.id, maxActor), e.Project, e.Action, postgres.Text(e.Subject, maxSubject), details,
		httpserver.RequestID(ctx), address(ctx))
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// secretNames are parts of the names of members that would hold a secret.
var secretNames = []string{"password", "secret", "token", "hash", "authorization"}

// encode returns the JSON of details.
func (d Details) encode() (string, error) {
	if len(d) == 0 {
		return "{}", nil
	}
	for name := range d {
		for _, secret := range secretNames {
			if strings.Contains(name, secret) {
				return "", fmt.Errorf("the detail %q would be a secret", name)
			}
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode details: %w", err)
	}
	if len(text) > maxDetails {
		return fmt.Sprintf(`{"omitted_bytes": %d}`, len(text)), nil
	}
	return strings.ReplaceAll(string(text), `\u0000`, `\ufffd`), nil // jsonb takes no NUL
}

// address returns the address of the client; nil outside a request.
func address(ctx context.Context) *netip.Addr {
	addr := httpserver.ClientAddress(ctx).WithZone("")
	if !addr.IsValid() {
		return nil
	}
	return &addr
}
