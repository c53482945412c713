package tilt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

const root = "../../.."

// session records what a Tiltfile asks Tilt for. The builtins have the parameters of Tilt's, so that a name that Tilt does not know
// is an error here as well.
type session struct {
	contexts  []string
	locals    []localResource
	images    []image
	charts    []chart
	yamls     []string
	resources []resource
	buttons   []button
	component starlark.Callable // names the resource of a workload

	thread *starlark.Thread
}

type localResource struct {
	name, cmd    string
	deps, ignore []string
}

type image struct {
	ref, context, dockerfile, restartFile string
	entrypoint                            []string
	liveUpdate                            []sync
}

type sync struct{ local, remote string }

type chart struct {
	dir, name, namespace string
	values               []string
}

type resource struct {
	workload, newName string
	objects, deps     []string
	portForwards      []forward
}

type forward struct{ local, container int }

type button struct {
	name, resource string
	argv           []string
}

// execute runs the Tiltfile.
func execute(t *testing.T) *session {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Tiltfile"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := executeText(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func executeText(text string) (*session, error) {
	s := new(session)
	s.thread = &starlark.Thread{Name: "Tiltfile", Load: s.load}
	// Tilt allows loops and conditions outside of functions.
	options := &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true, While: true}
	_, err := starlark.ExecFileOptions(options, s.thread, "Tiltfile", text, s.builtins())
	if err != nil {
		return nil, fmt.Errorf("Tiltfile: %w", err)
	}
	return s, nil
}

func (s *session) load(_ *starlark.Thread, module string) (starlark.StringDict, error) {
	extensions := map[string]starlark.StringDict{
		"ext://restart_process": {"docker_build_with_restart": starlark.NewBuiltin("docker_build_with_restart", s.dockerBuildWithRestart)},
		"ext://uibutton":        {"cmd_button": starlark.NewBuiltin("cmd_button", s.cmdButton)},
	}
	if globals, ok := extensions[module]; ok {
		return globals, nil
	}
	return nil, fmt.Errorf("unknown extension %s", module)
}

type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

func (s *session) builtins() starlark.StringDict {
	globals := starlark.StringDict{"struct": starlark.NewBuiltin("struct", starlarkstruct.Make)}
	for name, f := range map[string]builtin{
		"allow_k8s_contexts":            s.allowContexts,
		"update_settings":               updateSettings,
		"local_resource":                s.localResource,
		"docker_build":                  s.dockerBuild,
		"sync":                          newSync,
		"helm":                          s.helm,
		"k8s_yaml":                      s.k8sYAML,
		"k8s_resource":                  s.k8sResource,
		"port_forward":                  portForward,
		"workload_to_resource_function": s.workloadToResource,
	} {
		globals[name] = starlark.NewBuiltin(name, f)
	}
	return globals
}

// list is a parameter that is a string or a list of strings.
type list []string

func (l *list) Unpack(v starlark.Value) error {
	if text, ok := starlark.AsString(v); ok {
		*l = list{text}
		return nil
	}
	values, ok := v.(starlark.Iterable)
	if !ok {
		return fmt.Errorf("got %s, want a string or a list of strings", v.Type())
	}
	for value := range starlark.Elements(values) {
		text, ok := starlark.AsString(value)
		if !ok {
			return fmt.Errorf("got a list with %s, want strings", value.Type())
		}
		*l = append(*l, text)
	}
	return nil
}

// names of all resources that the Tiltfile makes or gives a name, beside those of workloads.
func (s *session) names() []string {
	var out []string
	for _, l := range s.locals {
		out = append(out, l.name)
	}
	for _, r := range s.resources {
		out = append(out, r.newName)
	}
	return slices.DeleteFunc(out, func(name string) bool { return name == "" })
}
