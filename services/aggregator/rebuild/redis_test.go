package rebuild_test

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// Caches are told of what has changed, and of nothing else; without Redis the rebuild is done all the same.
func TestCachesAreTold(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.rebuild()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	versions := redistest.Key(t, client, protocol.VersionsKey)
	options := b.options()
	options.Redis = client
	tamper := func() {
		b.exec(`UPDATE stats.product_daily_stats SET views = views + 1 WHERE day = '2026-01-02' AND product = $1`, b.Products[0])
	}
	run := func() (unpublished int) {
		t.Helper()
		for _, d := range b.rebuildWith(options).Done {
			if d.Unpublished != nil {
				unpublished++
			}
		}
		return unpublished
	}
	if n := run(); n != 0 || client.HLen(t.Context(), versions).Val() != 0 {
		t.Errorf("nothing changed, yet there are tokens; %d days could not be published", n)
	}
	tamper()
	if n := run(); n != 0 {
		t.Errorf("%d days could not be published", n)
	}
	tokens := client.HGetAll(t.Context(), versions).Val()
	if len(tokens) != 2 || tokens[protocol.ProjectField(1)] == "" || tokens[protocol.ProductField(b.Products[0])] == "" {
		t.Errorf("tokens: %v", tokens)
	}
	tamper()
	server.Stop()
	if n := run(); n != 1 {
		t.Errorf("%d days say that they could not be published without Redis, want that which changed", n)
	}
	b.mustBeRight()
}
