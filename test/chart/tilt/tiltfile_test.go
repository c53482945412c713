// Package tilt_test executes the Tiltfile with recording builtins, and checks that everything it names exists.
package tilt_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func exists(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyTheKindCluster(t *testing.T) {
	t.Parallel()
	if got := execute(t).contexts; !slices.Equal(got, []string{"kind-hp-analytics"}) {
		t.Errorf("Tilt may change %q", got)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := execute(t)
	for _, l := range s.locals {
		exists(t, l.deps...)
	}
	for _, i := range s.images {
		exists(t, i.dockerfile)
	}
	for _, c := range s.charts {
		exists(t, append(c.values, c.dir)...)
	}
	exists(t, s.yamls...)
}

// build is a local resource that compiles a program.
type build struct {
	localResource

	output, target string
}

// builds reads the commands of the local resources, which must all be "NAME=value... go build -o output package".
func builds(t *testing.T, s *session) []build {
	t.Helper()
	var out []build
	for _, l := range s.locals {
		words := slices.DeleteFunc(strings.Fields(l.cmd), func(word string) bool { return strings.Contains(word, "=") })
		if len(words) != 5 || !slices.Equal(words[:3], []string{"go", "build", "-o"}) {
			t.Fatalf("%s: %q is not go build -o output package", l.name, l.cmd)
		}
		if !strings.Contains(l.cmd, "CGO_ENABLED=0 GOOS=linux ") {
			t.Errorf("%s: %q does not make a static program for Linux", l.name, l.cmd)
		}
		out = append(out, build{l, words[3], words[4]})
	}
	return out
}

// TestProgramsAreWatched compares the directories of a program's packages with those that its resource watches.
func TestProgramsAreWatched(t *testing.T) {
	t.Parallel()
	for _, b := range builds(t, execute(t)) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			if packages := goList(t, b.target); packages[len(packages)-1].Name != "main" {
				t.Errorf("%s is no program", b.target)
			} else {
				for _, p := range packages {
					watched := slices.ContainsFunc(b.deps, func(dep string) bool { return p.Dir == dep || strings.HasPrefix(p.Dir, dep+"/") })
					if !watched {
						t.Errorf("%s is compiled into %s and not watched", p.Dir, b.target)
					}
				}
			}
		})
	}
}

type goPackage struct{ Name, Dir string }

// goList returns a package's dependencies within this repository, followed by the package itself.
func goList(t *testing.T, target string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Name,Dir", target)
	cmd.Dir = root
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", target, err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var out []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(text))); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if dir, ok := strings.CutPrefix(p.Dir, top+"/"); ok {
			out = append(out, goPackage{p.Name, dir})
		}
	}
	return out
}

// TestImages follows a program from the compiler through the Dockerfile into the running container.
func TestImages(t *testing.T) {
	t.Parallel()
	s := execute(t)
	var outputs []string
	for _, b := range builds(t, s) {
		outputs = append(outputs, b.output)
	}
	for _, i := range s.images {
		program := path.Join(i.context, "app")
		if !slices.Contains(outputs, program) {
			t.Errorf("%s: nothing builds %s", i.ref, program)
		}
		dockerfile, err := os.ReadFile(filepath.Join(root, i.dockerfile))
		if err != nil {
			t.Fatal(err)
		}
		if len(i.liveUpdate) == 0 {
			continue
		}
		update := i.liveUpdate[0]
		if update.local != program || !slices.Equal(i.entrypoint, []string{update.remote}) {
			t.Errorf("%s: %s is put to %s, and %q is run", i.ref, update.local, update.remote, i.entrypoint)
		}
		for _, line := range []string{"COPY --chown=65532:65532 app " + update.remote, "RUN chown 65532:65532 " + path.Dir(update.remote) + " ", "USER 65532:65532"} {
			if !strings.Contains(string(dockerfile), line) {
				t.Errorf("%s: %s does not say %q", i.ref, i.dockerfile, line)
			}
		}
		if path.Dir(i.restartFile) != path.Dir(update.remote) {
			t.Errorf("%s: the program's user cannot write %s", i.ref, i.restartFile)
		}
	}
}

// TestButtons checks that the commands of buttons exist, including their flags.
func TestButtons(t *testing.T) {
	t.Parallel()
	s := execute(t)
	for _, b := range s.buttons {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			words := b.argv
			if words[0] == "env" {
				words = slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool { return strings.Contains(word, "=") && !strings.HasPrefix(word, "-") })
			}
			if len(words) < 4 || !slices.Equal(words[:2], []string{"go", "run"}) {
				t.Fatalf("%q is not go run package command", b.argv)
			}
			if packages := goList(t, words[2]); packages[len(packages)-1].Name != "main" {
				t.Fatalf("%s is no program", words[2])
			}
			if os.Getenv("HELM") == "" {
				t.Skip("flags are compared by make chart-check")
			}
			cmd := exec.CommandContext(t.Context(), "go", "run", words[2], words[3], "--help")
			cmd.Dir = root
			help, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%q: %v\n%s", cmd.Args, err, help)
			}
			if !strings.Contains(string(help), "hp-analytics "+words[3]) {
				t.Errorf("%s %s is no command", words[2], words[3])
			}
			for _, word := range words[4:] {
				if strings.HasPrefix(word, "--") && !strings.Contains(string(help), word+" ") {
					t.Errorf("%s has no flag %s", words[3], word)
				}
			}
		})
	}
	if len(s.buttons) == 0 {
		t.Error("no buttons")
	}
}

// TestValues checks that the values suit rendering without a cluster and live updates.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range execute(t).charts {
		text, err := os.ReadFile(filepath.Join(root, c.values[0]))
		if err != nil {
			t.Fatal(err)
		}
		var values struct {
			Aggregator struct{ Autoscaling struct{ Mode string } }
		}
		if err := yaml.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		if mode := values.Aggregator.Autoscaling.Mode; mode == "" || mode == "auto" {
			t.Errorf("aggregator.autoscaling.mode is %q: Tilt does not ask the cluster, so it must be said", mode)
		}
	}
}

// TestMistakes checks that the recording builtins are as strict as Tilt.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"parameter":      "k8s_resource('a', port_forward=['80:80'])",
		"builtin":        "k8s_resources('a')",
		"extension":      "load('ext://restart', 'docker_build_with_restart')",
		"port forward":   "k8s_resource('a', port_forwards=['80'])",
		"nameless":       "k8s_resource(objects=['a:configmap'])",
		"live update":    "load('ext://restart_process', 'docker_build_with_restart')\ndocker_build_with_restart('a', '.', entrypoint='a', live_update=['a'])",
		"list of others": "k8s_yaml([1])",
	} {
		if _, err := executeText(text); err == nil {
			t.Errorf("%s: %s is accepted", name, text)
		}
	}
}
