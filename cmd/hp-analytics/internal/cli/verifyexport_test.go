package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestVerifyExport compares files with the receipts in them and with those that are kept.
func TestVerifyExport(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	sum := exported.NewSum()
	const line = `{"kind":"user","user":{"user_id":"ada"}}`
	sum.Add(exported.User, []byte(line))
	receipt := exported.Receipt{ID: uuid.MustParse("0195a3f6-2b40-7c1d-9e83-4a5b6c7d8e91"), RequestedBy: "key:1", SnapshotAt: time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)}
	sum.Fill(&receipt)
	last, err := json.Marshal(map[string]any{"kind": exported.Last, "receipt": receipt})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ada.ndjson")
	verify := func(content string, code int, want string, flags ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if got := Run(t.Context(), append([]string{"verify-export", file}, flags...), environ, &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d, want %d; no %q in: %s", got, code, want, out.String())
		}
	}
	whole := line + "\n" + string(last) + "\n"
	verify(whole, exitOK, "was not compared", "--offline")
	verify(whole, exitFailure, "the platform has kept no receipt")
	execute(t, database.URL(), `INSERT INTO ingest.exports (project, id, requested_by) VALUES (1, '`+receipt.ID.String()+`', 'key:1')`)
	verify(whole, exitFailure, "was cut")
	execute(t, database.URL(), fmt.Sprintf(`UPDATE ingest.exports SET snapshot_at = '2026-03-14 09:00Z', finished_at = now(), lines = 1, counts = '{"user": 1}', sha256 = '\x%s'`, receipt.SHA256))
	verify(whole, exitOK, "1 line\n  user  1\nThe file is complete: every line is as it was exported from the project default.")
	verify(line+"\n", exitFailure, "the export is cut")
	verify(strings.Replace(whole, "ada", "eve", 1), exitFailure, "are not those that were exported")
	verify("{}\n", exitFailure, "the export is cut")
	verify("hello\n", exitFailure, "no export of a user")
	execute(t, database.URL(), `UPDATE ingest.exports SET requested_by = 'key:2'`)
	verify(whole, exitFailure, "not the one that the platform has kept")
	var out strings.Builder
	if code := Run(t.Context(), []string{"verify-export", file + ".gone"}, environ, &out, &out); code != exitUsage || !strings.Contains(out.String(), "open the export") {
		t.Errorf("a file that is not there: exit code %d: %s", code, out.String())
	}
}
