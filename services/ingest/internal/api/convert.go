package api

import (
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
)

func callerOf(p authn.Principal) event.Caller {
	caller := event.Caller{Project: p.Project, Subject: p.Subject, Sender: p.ID(), Key: p.KeyID, Rights: rightsOf(p), CreateProducts: p.CreateProducts}
	if p.Public != nil {
		caller.PublicKey, caller.DefaultSKU = p.KeyID, p.Public.DefaultSKU
	}
	return caller
}

func rightsOf(p authn.Principal) event.Rights {
	switch {
	case p.Guest:
		return event.Guest
	case p.IsUser() && p.Role != authn.Owner, p.Public != nil:
		return event.Member
	default:
		return event.Trusted
	}
}

func eventAccepted(batch int64, v event.Verdict, draft event.Draft) EventAccepted {
	status := EventStatusAccepted
	if v.Status == event.Duplicate {
		status = EventStatusDuplicate
	}
	return EventAccepted{ID: v.ID, BatchID: batchID(batch), Status: status, Warnings: warnings(draft)}
}

// batchID returns the id of a batch as clients know it: as text, because a number of JSON has only 53 bits in some languages. It
// is empty for none.
func batchID(batch int64) BatchID {
	if batch == 0 {
		return ""
	}
	return strconv.FormatInt(batch, 10)
}

// warnings returns what was changed in the events that were not refused, and which of them may not be what was meant.
func warnings(drafts ...event.Draft) (all []ItemWarning) {
	said := false // that the project has nearly all its types: once in an answer
	for i, d := range drafts {
		if d.Refused() {
			continue
		}
		all = append(all, itemWarnings(i, d.Clamped, d.Replaced)...)
		if d.NearlyFull && !said {
			said = true
			all = append(all, ItemWarning{
				Index: i, Pointer: "/type", Code: event.CodeNearlyFull,
				Detail: "The project has more than 8000 types of events. New ones are refused when it has 10000: put what varies, such as an id, into properties.",
			})
		}
		if name, err := identifier.Name(d.Type); err == nil && name == purchaseName {
			all = append(all, ItemWarning{
				Index: i, Pointer: "/type", Code: event.CodePlainEvent,
				Detail: "An event of the type purchase counts as an event only, without units and money. Send purchases to POST /purchases, orders to POST /orders.",
			})
		}
	}
	return all
}

// purchaseName is the name of an event by which callers mean what POST /purchases takes.
const purchaseName = "purchase"

// itemWarnings returns what was changed in an item.
func itemWarnings(index int, clamped, replaced bool) (all []ItemWarning) {
	if clamped {
		all = append(all, ItemWarning{
			Index: index, Pointer: "/ts", Code: event.CodeClamped,
			Detail: "ts is more than an hour ahead; the item counts when it was received.",
		})
	}
	if replaced {
		all = append(all, ItemWarning{
			Index: index, Pointer: "/properties", Code: event.CodeReplaced,
			Detail: "Bytes that are not UTF-8, NUL characters and halves of surrogate pairs were replaced by U+FFFD.",
		})
	}
	return all
}

func bulkResult(batch int64, verdicts []event.Verdict, drafts []event.Draft) EventBulkResult {
	result := EventBulkResult{BatchID: batchID(batch), Errors: []ItemError{}, Warnings: warnings(drafts...)}
	for i, v := range verdicts {
		switch v.Status {
		case event.Accepted:
			result.Accepted++
		case event.Duplicate:
			result.Duplicates++
		case event.Rejected, event.Conflicting:
			result.Rejected++
			result.Errors = append(result.Errors, itemErrors(i, drafts[i].Problems)...)
		}
	}
	return result
}

// itemErrors returns the problems of an item.
func itemErrors(index int, problems []errs.Field) []ItemError {
	all := make([]ItemError, len(problems))
	for i, p := range problems {
		all[i] = ItemError{Index: index, Pointer: p.Pointer, Code: p.Code, Detail: p.Detail}
	}
	return all
}

func receipt(r postgres.Receipt) BatchReceipt {
	answer := BatchReceipt{BatchID: batchID(r.Batch), ReceivedAt: r.ReceivedAt.UTC(), Events: r.Rows, State: BatchStateStored}
	switch {
	case r.AggregatedAt != nil:
		answer.State, answer.AggregatedAt = BatchStateAggregated, utc(*r.AggregatedAt)
	case r.Failed:
		answer.State = BatchStateFailed
	}
	return answer
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}
