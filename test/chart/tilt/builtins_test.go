package tilt_test

import (
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

func (s *session) allowContexts(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var contexts list
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "contexts", &contexts); err != nil {
		return nil, err
	}
	s.contexts = append(s.contexts, contexts...)
	return starlark.None, nil
}

func updateSettings(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var updates, timeout int
	var unused starlark.Value
	return starlark.None, starlark.UnpackArgs(b.Name(), args, kwargs,
		"max_parallel_updates?", &updates, "k8s_upsert_timeout_secs?", &timeout, "suppress_unused_image_warnings?", &unused)
}

func (s *session) localResource(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var l localResource
	var deps, ignore, resourceDeps, labels list
	var parallel bool
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &l.name, "cmd?", &l.cmd, "deps?", &deps, "ignore?", &ignore,
		"resource_deps?", &resourceDeps, "labels?", &labels, "allow_parallel?", &parallel); err != nil {
		return nil, err
	}
	l.deps, l.ignore = deps, ignore
	s.locals = append(s.locals, l)
	return starlark.None, nil
}

func (s *session) dockerBuild(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	i := image{dockerfile: "Dockerfile"}
	var only, ignore list
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "ref", &i.ref, "context", &i.context,
		"dockerfile?", &i.dockerfile, "only?", &only, "ignore?", &ignore); err != nil {
		return nil, err
	}
	s.images = append(s.images, i)
	return starlark.None, nil
}

func (s *session) dockerBuildWithRestart(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	i := image{dockerfile: "Dockerfile", restartFile: "/.restart-proc"}
	var entrypoint, only, ignore list
	var steps *starlark.List
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "ref", &i.ref, "context", &i.context, "entrypoint", &entrypoint, "live_update", &steps,
		"restart_file?", &i.restartFile, "dockerfile?", &i.dockerfile, "only?", &only, "ignore?", &ignore); err != nil {
		return nil, err
	}
	for step := range steps.Elements() {
		update, ok := step.(*starlarkstruct.Struct)
		if !ok {
			return nil, fmt.Errorf("live_update has %s, want sync", step.Type())
		}
		i.liveUpdate = append(i.liveUpdate, sync{attribute(update, "local_path"), attribute(update, "remote_path")})
	}
	i.entrypoint = entrypoint
	s.images = append(s.images, i)
	return starlark.None, nil
}

func newSync(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var local, remote starlark.String
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "local_path", &local, "remote_path", &remote); err != nil {
		return nil, err
	}
	return starlarkstruct.FromStringDict(starlark.String("sync"), starlark.StringDict{"local_path": local, "remote_path": remote}), nil
}

func attribute(s *starlarkstruct.Struct, name string) string {
	value, err := s.Attr(name)
	if err != nil {
		return ""
	}
	text, _ := starlark.AsString(value)
	return text
}

// helm returns a value that only k8s_yaml accepts; another test renders the chart.
func (s *session) helm(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var c chart
	var values, set list
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "pathname", &c.dir, "name?", &c.name, "namespace?", &c.namespace,
		"values?", &values, "set?", &set); err != nil {
		return nil, err
	}
	c.values = values
	s.charts = append(s.charts, c)
	return starlark.Bytes("the rendered chart"), nil
}

func (s *session) k8sYAML(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var yaml starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "yaml", &yaml); err != nil {
		return nil, err
	}
	if _, blob := yaml.(starlark.Bytes); blob {
		return starlark.None, nil
	}
	var files list
	if err := files.Unpack(yaml); err != nil {
		return nil, err
	}
	s.yamls = append(s.yamls, files...)
	return starlark.None, nil
}

func (s *session) k8sResource(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var r resource
	var objects, deps, labels list
	var forwards *starlark.List
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "workload?", &r.workload, "new_name?", &r.newName, "port_forwards?", &forwards,
		"resource_deps?", &deps, "objects?", &objects, "labels?", &labels); err != nil {
		return nil, err
	}
	if r.workload == "" && (r.newName == "" || objects == nil) {
		return nil, fmt.Errorf("%s: without a workload there must be new_name and objects", b.Name())
	}
	if forwards != nil {
		for value := range forwards.Elements() {
			f, err := forwardOf(value)
			if err != nil {
				return nil, err
			}
			r.portForwards = append(r.portForwards, f)
		}
	}
	r.objects, r.deps = objects, deps
	s.resources = append(s.resources, r)
	return starlark.None, nil
}

// forwardOf parses 8080:80, or a value of port_forward.
func forwardOf(value starlark.Value) (forward, error) {
	text, ok := starlark.AsString(value)
	if made, isStruct := value.(*starlarkstruct.Struct); isStruct {
		text, ok = attribute(made, "ports"), true
	}
	local, container, found := strings.Cut(text, ":")
	l, localErr := strconv.Atoi(local)
	c, containerErr := strconv.Atoi(container)
	if !ok || !found || localErr != nil || containerErr != nil {
		return forward{}, fmt.Errorf("port forward %v: want local:container", value)
	}
	return forward{l, c}, nil
}

func portForward(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var local, container int
	var name, path, host string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "local_port", &local, "container_port", &container,
		"name?", &name, "link_path?", &path, "host?", &host); err != nil {
		return nil, err
	}
	ports := starlark.String(fmt.Sprintf("%d:%d", local, container))
	return starlarkstruct.FromStringDict(starlark.String("port_forward"), starlark.StringDict{"ports": ports}), nil
}

func (s *session) workloadToResource(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return starlark.None, starlark.UnpackArgs(b.Name(), args, kwargs, "func", &s.component)
}

func (s *session) cmdButton(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var btn button
	var argv list
	var text, icon string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &btn.name, "resource", &btn.resource, "argv", &argv,
		"text?", &text, "icon_name?", &icon); err != nil {
		return nil, err
	}
	btn.argv = argv
	s.buttons = append(s.buttons, btn)
	return starlark.None, nil
}
