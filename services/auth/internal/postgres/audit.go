package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

// The actions that the audit log has of this service. Those of operations are named by x-audit in openapi.yaml.
const (
	accountCreated       = "account.created"
	accountRegistered    = "account.registered"
	accountPasswordSet   = "account.password_set"
	accountRoleChanged   = "account.role_changed"
	accountPasswordReset = "account.password_reset"
	accountDisabled      = "account.disabled"
	accountEnabled       = "account.enabled"
	accountSessionsEnded = "account.sessions_ended"
	invitationCreated    = "invitation.created"
	invitationAccepted   = "invitation.accepted"
	invitationRevoked    = "invitation.revoked"
	projectCreated       = "project.created"
	projectChanged       = "project.changed"
	memberAdded          = "member.added"
	memberRoleChanged    = "member.role_changed"
	memberRemoved        = "member.removed"
	keyCreated           = "key.created"
	keyRevoked           = "key.revoked"
	keySigningSecretSet  = "key.signing_secret_set" //nolint:gosec // the name of an action
	shareLinkCreated     = "share_link.created"
	shareLinkRevoked     = "share_link.revoked"
	annotationCreated    = "annotation.created"
	annotationChanged    = "annotation.changed"
	annotationDeleted    = "annotation.deleted"
	viewCreated          = "view.created"
	viewChanged          = "view.changed"
	viewDeleted          = "view.deleted"
	digestCreated        = "digest.created"
	digestChanged        = "digest.changed"
	digestDeleted        = "digest.deleted"
	digestTested         = "digest.tested"
	alertCreated         = "alert.created"
	alertChanged         = "alert.changed"
	alertDeleted         = "alert.deleted"
	alertTested          = "alert.tested"
)

// The subjects of the audit log.
func accountSubject(id uuid.UUID) string    { return "account:" + id.String() }
func invitationSubject(id uuid.UUID) string { return "invitation:" + id.String() }
func keySubject(id uuid.UUID) string        { return "key:" + id.String() }
func shareLinkSubject(id uuid.UUID) string  { return "share_link:" + id.String() }
func annotationSubject(id uuid.UUID) string { return "annotation:" + id.String() }
func viewSubject(id uuid.UUID) string       { return "view:" + id.String() }
func digestSubject(id uuid.UUID) string     { return "digest:" + id.String() }
func alertSubject(id uuid.UUID) string      { return "alert:" + id.String() }
func projectSubject(slug string) string     { return "project:" + slug }

// recordAccount is for changes of accounts by admins and commands that consist of one statement: it records them.
func recordAccount(ctx context.Context, action string) func(pgx.Tx, account.Account) error {
	return func(tx pgx.Tx, a account.Account) error {
		return audit.Record(ctx, tx, audit.Entry{Action: action, Subject: accountSubject(a.ID)})
	}
}

// differences returns the settings of a project that differ, each with its former and its new value.
func differences(before, after project.Settings) audit.Details {
	details := audit.Details{}
	add := func(name string, same bool, from, to any) {
		if !same {
			details[name] = []any{from, to}
		}
	}
	add("name", before.Name == after.Name, before.Name, after.Name)
	add("time_zone", before.TimeZone == after.TimeZone, before.TimeZone, after.TimeZone)
	add("currency", before.Currency == after.Currency, before.Currency, after.Currency)
	add("week_start", before.WeekStart == after.WeekStart, before.WeekStart, after.WeekStart)
	add("max_event_age_days", equal(before.MaxEventAgeDays, after.MaxEventAgeDays), before.MaxEventAgeDays, after.MaxEventAgeDays)
	add("events_per_second", equal(before.EventsPerSecond, after.EventsPerSecond), before.EventsPerSecond, after.EventsPerSecond)
	add("archived", before.Archived == after.Archived, before.Archived, after.Archived)
	return details
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
