// Package userexport is what ingest knows of exports of users: who asks for one, what a line says, and what stays out of it.
package userexport

import (
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/erasure"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// Request asks for everything that is stored of a user of a project.
type Request struct {
	Project   int16
	Subject   string // a user id or an anonymous id
	Anonymous *bool  // which of the two; nil for the user id, or if there is none, the anonymous id
	By        string // who asks
}

// Line is a line of an export. One of its fields is set.
type Line struct {
	User    *User
	Event   *history.Event
	Order   *history.Order
	Refund  *history.Refund
	Day     *Day
	Money   *Money
	Erasure *erasure.Receipt
	LeftOut *LeftOut
}

// User is an id of the user.
type User struct {
	history.User

	FirstSeen    *time.Time // the earliest ts of its rows; nil for none
	IdentifiedAt *time.Time // of an anonymous id that belongs to a user id
}

// Day is what is counted of an id on a day of the project.
type Day struct {
	User                                                history.User
	Day                                                 time.Time
	Events, Views, Clicks, AddToCarts, Purchases, Units int64
}

// Money is the money of an id on a day of the project.
type Money struct {
	User                         history.User
	Day                          time.Time
	Currency                     string
	GrossMinor, RefundedMinor    int64
	Orders, Units, RefundedUnits int64
}

// LeftOut is something that an export leaves out.
type LeftOut struct{ What, Why string }

// Receipt is what is kept of an export. It does not say whose it is.
type Receipt struct {
	ID          uuid.UUID
	RequestedBy string
	RequestedAt time.Time
	SnapshotAt  *time.Time // nil unless it is finished
	FinishedAt  *time.Time // nil while it runs, and of one that was cut
	Lines       int64
	Counts      map[exported.Kind]int64
	SHA256      string // in hexadecimal digits; empty unless it is finished
}

// Omissions lists what an export leaves out, and why. droppedDays is on how many UTC days raw events of the project have expired.
func Omissions(droppedDays int64) []LeftOut {
	all := []LeftOut{
		{"ingest.batches, ingest.event_times", "Numbers and ids of events, without more than the lines of kind event say of them."},
		{"ingest.idempotency_keys", "Keys that clients send to retry a purchase, for a day. They lead to an order, which is exported."},
		{"ingest.orders.content_hash, ingest.refunds.content_hash", "Hashes of what the client sent. They say nothing that the orders and refunds do not."},
		{"stats.daily_user_sets", "The numbers of the users of each day. The days are those of the lines of kind day."},
		{"stats.daily_users, stats.product_daily_users, stats.name_daily_users", "Sketches, which estimate how many different users there were. Nothing in them can be told to be of one user."},
		{"audit.log, ingest.exports", "Who asked for exports and erasures. They name receipts and not users."},
		{"auth", "An account that logs in is no user of events, even if both have the same id. GET /auth/me answers with it."},
		{"Redis", "Copies of answers, for minutes at most."},
		{"logs, backups", "The platform does not read them. Logs have routes without ids."},
	}
	if droppedDays > 0 {
		all = append(all, LeftOut{"ingest.events of days whose raw events have expired",
			"They were removed by the retention of the installation. The lines of kind day still count them."})
	}
	return all
}
