// Package makefile_test runs the targets of the Makefile with programs that only record how they were called. It checks that the
// arguments of a target reach the program they are meant for, and no other.
package makefile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestArguments runs every target whose help mentions ARGS, and compares the one call that received the arguments.
func TestArguments(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args      string
		variables []string
		want      string
	}{
		"demo":        {args: "--events 9 --days 3", variables: []string{"URL=http://example.com"}, want: "bin/hp-analytics demo --url http://example.com --events 9 --days 3"},
		"bench":       {args: "-duration 5s -only bulk", want: "go run ./test/bench -page BENCHMARKS.md -duration 5s -only bulk"},
		"torture":     {args: "-seed 7 -duration 5m", want: "go run ./test/torture -seed 7 -duration 5m"},
		"fuzz":        {args: "-seed 7 -operation createOrder", want: "go run ./test/fuzz -seed 7 -operation createOrder"},
		"gobench":     {args: "-bench Fold", want: "go test -run ^$ -bench . -benchmem -bench Fold work"},
		"images":      {args: "auth ingest", want: "docker buildx bake --allow=network.host --load auth ingest"},
		"compose-up":  {args: "--profile obs", want: "docker compose -f infra/compose/docker-compose.yml --profile obs up --build --wait"},
		"kind-up":     {args: "-f k8s/kind/values-ingress.yaml", want: "helm upgrade --install hp-analytics charts/hp-analytics --kube-context kind-hp-analytics --namespace analytics --create-namespace -f k8s/kind/values.yaml --set image.tag=v1 --wait --timeout 10m -f k8s/kind/values-ingress.yaml"},
		"e2e-cluster": {args: "-run TestCluster/Helm4", want: "go test -v -count=1 -timeout 45m ./test/cluster -run TestCluster/Helm4"},
	}
	for target, tt := range tests {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			calls := newSandbox(t).make(t, append([]string{target, "ARGS=" + tt.args, "VERSION=v1"}, tt.variables...)...)
			got := slices.DeleteFunc(calls, func(call string) bool { return !strings.Contains(call, tt.args) })
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("calls with the arguments (-want +got):\n%s", diff)
			}
		})
	}

	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## .*\bARGS=`).FindAllStringSubmatch(string(makefile), -1) {
		if _, ok := tests[match[1]]; !ok {
			t.Errorf("the help of %s mentions ARGS, and no test runs it", match[1])
		}
	}
}

// TestClusterBuildsEveryImage guards the target in which ARGS once reached the build of the images.
func TestClusterBuildsEveryImage(t *testing.T) {
	t.Parallel()
	calls := newSandbox(t).make(t, "e2e-cluster", "ARGS=-run TestCluster/Helm4", "TAG=mine", "VERSION=v1")
	want := "docker buildx bake --allow=network.host --load auth catalog ingest analytics aggregator operator hp-analytics"
	if !slices.Contains(calls, want) {
		t.Errorf("calls:\n%s\nwant one that is %q", strings.Join(calls, "\n"), want)
	}
	for _, call := range calls {
		if strings.HasPrefix(call, "load ") && !strings.Contains(call, "ghcr.io/hp-analytics/auth:e2e ") {
			t.Errorf("%s\nloads other images than the test has built", call)
		}
	}
}

// TestSubmakeStartsFresh checks that variables of the command line end with the target they were given to.
func TestSubmakeStartsFresh(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	include := "include Makefile\nouter:\n\t@$(MAKE) -f Makefile images\n"
	if err := os.WriteFile(filepath.Join(s.dir, "outer.mk"), []byte(include), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, call := range s.make(t, "-f", "outer.mk", "outer", "ARGS=-run TestX") {
		if strings.Contains(call, "TestX") {
			t.Errorf("%s\nhas the arguments of the outer target", call)
		}
	}
}

// sandbox is a copy of the files that targets run, with recording programs first in PATH.
type sandbox struct {
	dir, programs, calls string
}

// record logs its call. It answers what scripts read from docker and git, and makes the file that `go build -o` would make.
const record = `#!/bin/bash
echo "$(realpath -s --relative-to="$SANDBOX" "$0" | sed 's|^programs/||') $*" >>"$SANDBOX/calls"
case "$(basename "$0") $1 $2" in
"docker image inspect") echo 1000000 ;;
"docker images"*) echo "$2:1" ;;
"docker save"*) echo layers ;;
"git rev-parse HEAD") echo 0123456 ;;
"iptables"*) exit 1 ;;
esac
previous=
for word in "$@"; do
	if [ "$previous" = -o ]; then mkdir -p "$(dirname "$word")"; cp "$0" "$word"; fi
	previous=$word
done
`

func newSandbox(t *testing.T) sandbox {
	t.Helper()
	s := sandbox{dir: t.TempDir()}
	s.programs, s.calls = filepath.Join(s.dir, "programs"), filepath.Join(s.dir, "calls")
	for _, dir := range []string{"infra", "k8s/kind", "test/cluster", "programs"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"infra/images", "infra/debian"} {
		if err := os.CopyFS(filepath.Join(s.dir, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"Makefile", "go.work", "k8s/kind/up", "test/cluster/run"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, file, string(content))
	}
	// initdb and redis-server stand for installed databases, so that nothing is installed.
	for _, program := range []string{"go", "docker", "git", "helm", "kind", "iptables", "up", "load", "down", "initdb", "redis-server"} {
		s.write(t, "programs/"+program, record)
	}
	return s
}

func (s sandbox) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// make runs a target and returns the calls that were recorded.
func (s sandbox) make(t *testing.T, args ...string) []string {
	t.Helper()
	helm, kind := "HELM="+filepath.Join(s.programs, "helm"), "KIND="+filepath.Join(s.programs, "kind")
	cmd := exec.CommandContext(t.Context(), "make", append(args, helm, "HELM3"+strings.TrimPrefix(helm, "HELM"), kind)...)
	cmd.Dir = s.dir
	cmd.Env = []string{
		"PATH=" + s.programs + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir,
		"SANDBOX=" + s.dir, "CLUSTER=" + s.programs, "KUBEBUILDER_ASSETS=" + s.programs,
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	calls, err := os.ReadFile(s.calls)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(calls)), "\n")
}
