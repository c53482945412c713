package postgres

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/protocol/inserts"
)

var update = flag.Bool("update", false, "write the statements that other services test with")

// TestInsertsAreShared checks that the tests of other services write with the statements of this one.
func TestInsertsAreShared(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]struct{ executed, shared string }{
		"new_events.sql":     {statements[shape{}].text, inserts.NewEvents},
		"checked_events.sql": {insertChecked, inserts.CheckedEvents},
		"orders.sql":         {insertOrders, inserts.Orders},
	} {
		if *update {
			if err := os.WriteFile(filepath.Join("../../../../internal/protocol/inserts", name), []byte(statement.executed), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(statement.executed, statement.shared); diff != "" {
			t.Errorf("%s is not what is executed; go test ./services/ingest/internal/postgres -run TestInsertsAreShared -update (-executed +shared):\n%s", name, diff)
		}
	}
}
