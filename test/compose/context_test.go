package compose_test

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// programs are the commands that images contain, by the directory of their module.
var programs = map[string][]string{
	".": {
		"./cmd/hp-analytics", "./services/auth/cmd/auth", "./services/catalog/cmd/catalog", "./services/ingest/cmd/ingest",
		"./services/analytics/cmd/analytics", "./services/aggregator/cmd/aggregator",
	},
	"k8s/operator": {"./cmd/operator"},
}

// TestBuildContext checks that .dockerignore keeps every file that an image is compiled from, and no test.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	const root = "../.."
	content, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	rules := strings.Fields(string(removeComments(content)))
	if !ignored(rules, "services/auth/auth_test.go") || !ignored(rules, "docs/kubernetes.md") {
		t.Error("tests or documents are part of the build context")
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	const format = `{{if not .Standard}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{with .Module}}{{.Dir}}/go.mod
{{.Dir}}/go.sum
{{end}}{{end}}`
	for module, commands := range programs {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps", "-f", format}, commands...)...)
		cmd.Dir = filepath.Join(root, module)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list in %s: %v", module, err)
		}
		found := 0
		files := strings.Fields(string(out))
		slices.Sort(files)
		for _, file := range slices.Compact(files) {
			name, err := filepath.Rel(base, file)
			if err != nil || strings.HasPrefix(name, "..") {
				continue // a dependency in the module cache
			}
			found++
			if ignored(rules, name) {
				t.Errorf("%s needs %s, which .dockerignore leaves out", module, name)
			}
		}
		if found == 0 {
			t.Errorf("no file of %s was checked", module)
		}
	}
}

func removeComments(content []byte) []byte {
	var kept [][]byte
	for line := range bytes.Lines(content) {
		if !bytes.HasPrefix(line, []byte("#")) {
			kept = append(kept, line)
		}
	}
	return bytes.Join(kept, nil)
}

// ignored applies the rules as Docker does: the last one that matches the file or one of its directories decides.
func ignored(rules []string, name string) bool {
	result := false
	for _, rule := range rules {
		pattern, exception := strings.CutPrefix(rule, "!")
		for parent := name; parent != "."; parent = path.Dir(parent) {
			if matches(pattern, parent) {
				result = !exception
				break
			}
		}
	}
	return result
}

func matches(pattern, name string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "**/"); ok {
		pattern, name = suffix, path.Base(name)
	}
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}
