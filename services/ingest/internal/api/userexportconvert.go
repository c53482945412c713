package api

import (
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/userexport"
)

// userExportLine returns a line as the contract has it.
func userExportLine(l userexport.Line) UserExportLine {
	switch {
	case l.User != nil:
		user, anonymous := userIDs(l.User.User)
		return UserExportLine{Kind: UserExportLineKindUser, User: &ExportedUserID{
			UserID: user, AnonymousID: anonymous, FirstSeen: inUTC(l.User.FirstSeen), IdentifiedAt: inUTC(l.User.IdentifiedAt),
		}}
	case l.Event != nil:
		return UserExportLine{Kind: UserExportLineKindEvent, Event: new(toRawEvent(*l.Event))}
	case l.Order != nil:
		return UserExportLine{Kind: UserExportLineKindOrder, Order: new(toRawOrder(*l.Order))}
	case l.Refund != nil:
		return UserExportLine{Kind: UserExportLineKindRefund, Refund: new(toRawRefund(*l.Refund))}
	case l.Day != nil:
		d := l.Day
		user, anonymous := userIDs(d.User)
		return UserExportLine{Kind: UserExportLineKindDay, Day: &ExportedUserDay{
			UserID: user, AnonymousID: anonymous, Day: openapi_types.Date{Time: d.Day}, Events: d.Events, Views: d.Views, Clicks: d.Clicks,
			AddToCarts: d.AddToCarts, Purchases: d.Purchases, Units: d.Units,
		}}
	case l.Money != nil:
		m := l.Money
		user, anonymous := userIDs(m.User)
		return UserExportLine{Kind: UserExportLineKindMoney, Money: &ExportedUserMoney{
			UserID: user, AnonymousID: anonymous, Day: openapi_types.Date{Time: m.Day}, Currency: m.Currency, GrossMinor: m.GrossMinor,
			RefundedMinor: m.RefundedMinor, Orders: m.Orders, Units: m.Units, RefundedUnits: m.RefundedUnits,
		}}
	case l.Erasure != nil:
		return UserExportLine{Kind: UserExportLineKindErasure, Erasure: new(erasureAnswer(*l.Erasure))}
	default:
		return UserExportLine{Kind: UserExportLineKindLeftOut, LeftOut: &ExportLeftOut{What: l.LeftOut.What, Why: l.LeftOut.Why}}
	}
}

func receiptLine(r exported.Receipt) UserExportReceipt {
	return UserExportReceipt{ID: r.ID, RequestedBy: r.RequestedBy, SnapshotAt: r.SnapshotAt, Lines: r.Lines, Counts: byName(r.Counts), Sha256: r.SHA256}
}

func userExportAnswer(r userexport.Receipt) UserExport {
	return UserExport{
		ID: r.ID, RequestedBy: r.RequestedBy, RequestedAt: r.RequestedAt, SnapshotAt: r.SnapshotAt, FinishedAt: r.FinishedAt,
		Lines: r.Lines, Counts: byName(r.Counts), Sha256: orNil(r.SHA256),
	}
}

func byName(counts map[exported.Kind]int64) map[string]int64 {
	named := make(map[string]int64, len(counts))
	for kind, n := range counts {
		named[string(kind)] = n
	}
	return named
}

// inUTC returns an instant in UTC; nil for nil.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return utc(*at)
}
