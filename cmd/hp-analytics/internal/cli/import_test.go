package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportWithABadKey says that the key is wrong, and leaves the refused rows of an earlier import and its checkpoint as they are.
func TestImportWithABadKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		code   string
		want   string
	}{
		"a key that is unknown":    {http.StatusUnauthorized, "invalid_token", "the platform does not accept the API key in API_KEY"},
		"a key that may not write": {http.StatusForbidden, "forbidden", "everything else needs the scope ingest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/health" {
					return
				}
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(test.status)
				_ = json.NewEncoder(w).Encode(map[string]any{"status": test.status, "code": test.code, "title": "No", "detail": "No."})
			}))
			defer server.Close()
			dir := t.TempDir()
			files := map[string]string{
				"m.yaml": "rows: events\nfile: {format: csv}\nfields: {type: what, user_id: who, ts: when}\n", "e.csv": "what,who,when\nview,ada,2026-01-01T00:00:00Z\nunreadable\n", "e.rejects.csv": "mended\n",
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			args := []string{"import", "--url=" + server.URL, "--mapping=" + filepath.Join(dir, "m.yaml"), filepath.Join(dir, "e.csv")}
			if code := Run(t.Context(), args, []string{"API_KEY=hpa_x"}, &out, &out); code != exitFailure ||
				!strings.Contains(out.String(), "nothing was imported, and no file was changed: ") || !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), "Mend") {
				t.Errorf("exit code %d: %s", code, out.String())
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != len(files) {
				t.Errorf("there are %v, %v", entries, err)
			}
			for name, text := range files {
				if now, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(now) != text {
					t.Errorf("%s is %q, %v", name, now, err)
				}
			}
		})
	}
}

// TestImportSaysWhatItReads: the help has the fields of each kind, and a delimiter that is none is an error of the command line.
func TestImportSaysWhatItReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(file, []byte("rows: events\nfields: {type: what, user_id: who, ts: when}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", "--help"}, exitOK, "  products  sku*, name"},
		{[]string{"import", "--mapping=" + file, "--delimiter=||", "e.csv"}, exitUsage, "--delimiter: delimiter must be one ASCII character"},
	} {
		var out strings.Builder
		if code := Run(t.Context(), test.args, []string{"API_KEY=hpa_x"}, &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("%v: exit code %d, no %q in: %s", test.args, code, test.want, out.String())
		}
	}
}

// TestImportNamesWhatIsMissing names the files, and the variable of the key.
func TestImportNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(file, []byte("rows: events\nfile: {format: csv}\nfields: {type: what, user_id: who, ts: when}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"name the files to import, or - for standard input":     {"import", "--mapping=" + file},
		"API_KEY is empty: set it to an API key of the project": {"import", "--mapping=" + file, "e.csv"},
	} {
		var out strings.Builder
		if code := Run(t.Context(), args, []string{"API_KEY="}, &out, &out); code == exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, no %q in: %s", args, code, want, out.String())
		}
	}
}
