// Package release_test runs the scripts of releases and of the search for vulnerabilities, with programs that stand in for
// docker, cosign and govulncheck.
package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// bench is a directory of stand-ins.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T) bench {
	t.Helper()
	return bench{t: t, dir: t.TempDir()}
}

// program adds a shell script that stands in for a program.
func (b bench) program(name, script string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// run runs a script of the repository with the stand-ins first in PATH, and returns whether it succeeds, and its output.
func (b bench) run(script string, environ ...string) (ok bool, out string) {
	b.t.Helper()
	path, err := filepath.Abs(filepath.Join(root, script))
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.t.Context(), "bash", path, ".", ".")
	cmd.Env = append(append(os.Environ(), "PATH="+b.dir+":"+os.Getenv("PATH")), environ...)
	text, err := cmd.CombinedOutput()
	return err == nil, string(text)
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// lock pins both base images and returns the file.
func (b bench) lock() string {
	b.t.Helper()
	file := filepath.Join(b.dir, "lock.hcl")
	b.program("docker", `[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo `+digest)
	if ok, out := b.run("infra/images/pin", "LOCK="+file); !ok {
		b.t.Fatal(out)
	}
	return file
}

// TestPinWritesDigests resolves the base images of the Dockerfile, and keeps the old file when a registry gives none.
func TestPinWritesDigests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.lock()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"golang:", "gcr.io/distroless/static-debian12:"} {
		if !regexp.MustCompile(`default = "` + image + `\S+@` + digest + `"`).Match(before) {
			t.Errorf("%s is not pinned:\n%s", image, before)
		}
	}
	b.program("docker", "echo no such host >&2; exit 1")
	if ok, out := b.run("infra/images/pin", "LOCK="+file); ok {
		t.Errorf("it succeeds without a registry: %s", out)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file is now %q, %v", after, err)
	}
}

// TestReleaseNeedsPinnedBases refuses a release whose base images are tags, or of which one is missing.
func TestReleaseNeedsPinnedBases(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tags := filepath.Join(b.dir, "tags.hcl")
	if err := os.WriteFile(tags, []byte("variable \"GO_IMAGE\" {\n  default = \"golang:1.26\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, lock := range []string{filepath.Join(b.dir, "none.hcl"), tags} {
		if ok, out := b.run("infra/images/release", "LOCK="+lock, "VERSION=v1", "DRY_RUN=1"); ok || !strings.Contains(out, "Run make pin") {
			t.Errorf("%s: %t %s", lock, ok, out)
		}
	}
}

// TestReleaseSignsEveryImage prints the commands of a release, and compares the signed images with those that are built.
func TestReleaseSignsEveryImage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lock := b.lock()
	ok, out := b.run("infra/images/release", "LOCK="+lock, "VERSION=v1.2.3", "DRY_RUN=1", "COSIGN_KEY=cosign.key", "REGISTRY=example.com/hpa")
	if !ok {
		t.Fatal(out)
	}
	if !strings.Contains(out, "docker buildx bake -f docker-bake.hcl -f "+lock+" release --push ") {
		t.Errorf("the images are not built from the pinned ones:\n%s", out)
	}
	bake, err := os.ReadFile(filepath.Join(root, "docker-bake.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"type=provenance,mode=max"`, `"type=sbom"`} {
		if !strings.Contains(string(bake), want) {
			t.Errorf("docker-bake.hcl attests no %s", want)
		}
	}
	services := regexp.MustCompile(`variable "SERVICES" \{\s+default = \[(.+)\]`).FindStringSubmatch(string(bake))
	if services == nil {
		t.Fatal("docker-bake.hcl has no SERVICES")
	}
	for name := range strings.SplitSeq(services[1], ", ") {
		if want := "cosign sign --yes --key cosign.key example.com/hpa/" + strings.Trim(name, `"`) + "@<digest>\n"; !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// TestVulnerabilities runs the search with every outcome of govulncheck. A database that cannot be reached is no success.
func TestVulnerabilities(t *testing.T) {
	t.Parallel()
	const unreachable = "echo 'govulncheck: fetching vulnerabilities: no such host' >&2; exit 1"
	for name, test := range map[string]struct {
		govulncheck, environ string
		ok, notRun           bool
	}{
		"nothing found":                    {"exit 0", "GOVULNDB=", true, false},
		"found":                            {"exit 3", "GOVULNDB=", false, false},
		"broken code":                      {"echo 'govulncheck: loading packages' >&2; exit 1", "GOVULNDB=", false, false},
		"a closed network":                 {unreachable, "GOVULNDB=", true, true},
		"a closed network after a finding": {`[ -e "$0.ran" ] || { touch "$0.ran"; exit 3; }; ` + unreachable, "GOVULNDB=", false, true},
		"a mirror that cannot be reached":  {unreachable, "GOVULNDB=file:///nowhere", false, false},
	} {
		b := newBench(t)
		program := b.program("govulncheck", test.govulncheck)
		ok, out := b.run(".ci/vuln", "GOVULNCHECK="+program, test.environ)
		if notRun := strings.Contains(out, "\nNOT RUN: the search for known vulnerabilities"); ok != test.ok || notRun != test.notRun {
			t.Errorf("%s: succeeds %t, not run %t:\n%s", name, ok, notRun, out)
		}
	}
}
