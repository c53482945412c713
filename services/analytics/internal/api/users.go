package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// A guest of a shop sees how products are used, but not what they earn: sales are hidden. Its own summary has its own orders.

// sales are the members that guests do not see.
var sales = []string{stats.Purchases.Column(), stats.Units.Column(), "revenue"}

var (
	errClosedToUsers error = errs.New(errs.Forbidden, "closed_to_users", "The numbers of products are not open to users.")
	errSales         error = errs.New(errs.Forbidden, "sales_forbidden",
		"Rankings by purchases, units and money, and by events of other names than view, click and add_to_cart, are for members of the project and API keys with the scope read.")
)

// isGuest reports whether the caller does not take part in the project.
func isGuest(caller authn.Principal) bool { return caller.Guest || caller.Role == authn.User }

// withoutSales reports whether the numbers of products are shown to the caller without sales. It is an error if they are
// not shown at all.
func (s *Server) withoutSales(ctx context.Context) (bool, error) {
	caller, err := authn.Require(ctx)
	if err != nil || !isGuest(caller) {
		return false, err
	}
	if !s.OpenToUsers {
		return false, errClosedToUsers
	}
	return true, nil
}

// showsSales reports whether a ranking shows what is sold. Events of a name that the project chose, such as "Order Completed",
// can show that, too.
func showsSales(q report.Ranking) bool {
	if q.Type == "" {
		return q.Metric.IsSales()
	}
	_, counted := stats.NameOf(q.Type)
	return !counted
}

// hideSales removes sales from an encoded answer.
func hideSales(body []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var answer any
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("hide sales: %w", err)
	}
	removeSales(answer)
	return encode(answer)
}

func removeSales(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			removeSales(item)
		}
	case map[string]any:
		for _, name := range sales {
			delete(v, name)
		}
		for _, member := range v {
			removeSales(member)
		}
	}
}
