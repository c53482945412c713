package tilt_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	corev1 "k8s.io/api/core/v1"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

// rendered contains what Tilt installs: the rendered chart without the pods of `helm test`, and the additional files.
func rendered(t *testing.T, s *session) manifest.Install {
	t.Helper()
	helm := os.Getenv("HELM")
	if helm == "" {
		t.Skip("HELM does not name the helm program (make chart-check does)")
	}
	var objects []manifest.Object
	for _, c := range s.charts {
		args := []string{"template", c.name, c.dir, "--namespace", c.namespace, "--include-crds", "--skip-tests"}
		for _, values := range c.values {
			args = append(args, "-f", values)
		}
		cmd := exec.CommandContext(t.Context(), helm, args...)
		var stderr bytes.Buffer
		cmd.Dir, cmd.Stderr = root, &stderr
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v\n%s", cmd.Args, err, &stderr)
		}
		objects = append(objects, read(t, text)...)
	}
	for _, file := range s.yamls {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, read(t, text)...)
	}
	return manifest.NewInstall(objects)
}

func read(t *testing.T, text []byte) []manifest.Object {
	t.Helper()
	objects, err := manifest.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// named asks the Tiltfile for the resource of each workload.
func (s *session) named(t *testing.T, in manifest.Install) map[string]manifest.Workload {
	t.Helper()
	out := make(map[string]manifest.Workload)
	for _, w := range in.Workloads {
		id := starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{
			"name": starlark.String(w.Name), "kind": starlark.String(w.Kind), "namespace": starlark.String(w.Namespace), "group": starlark.String(""),
		})
		name, err := starlark.Call(s.thread, s.component, starlark.Tuple{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := starlark.AsString(name)
		if other, ok := out[text]; ok || text == "" {
			t.Errorf("the resource of %s/%s is called %q, as that of %s/%s", w.Kind, w.Name, text, other.Kind, other.Name)
		}
		out[text] = w
	}
	return out
}

func TestResourcesAreRendered(t *testing.T) {
	t.Parallel()
	s := execute(t)
	in := rendered(t, s)
	workloads := s.named(t, in)
	known := s.names()
	for name := range workloads {
		known = append(known, name)
	}
	for _, r := range s.resources {
		w, ok := workloads[r.workload]
		if !ok && r.workload != "" {
			t.Errorf("k8s_resource(%q): no such workload", r.workload)
		}
		for _, dep := range r.deps {
			if !slices.Contains(known, dep) {
				t.Errorf("%s depends on %s, which does not exist", r.workload, dep)
			}
		}
		for _, f := range r.portForwards {
			if !slices.ContainsFunc(w.Containers(), func(c corev1.Container) bool {
				return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return int(p.ContainerPort) == f.container })
			}) {
				t.Errorf("%s: port %d is forwarded, and no container has it", r.workload, f.container)
			}
		}
		for _, object := range r.objects {
			if !slices.ContainsFunc(in.Objects, func(o manifest.Object) bool { return o.Name+":"+strings.ToLower(o.Kind) == object }) {
				t.Errorf("%s%s: object %s does not exist", r.workload, r.newName, object)
			}
		}
	}
	for _, b := range s.buttons {
		if !slices.Contains(known, b.resource) {
			t.Errorf("button %s is on %s, which does not exist", b.name, b.resource)
		}
	}
}

// TestImagesAreRendered compares the images that Tilt builds with the chart's images, except third-party ones.
func TestImagesAreRendered(t *testing.T) {
	t.Parallel()
	s := execute(t)
	in := rendered(t, s)
	used := make(map[string]bool)
	for _, w := range in.Workloads {
		for _, c := range w.Containers() {
			name, _, _ := strings.Cut(c.Image, ":")
			used[name] = true
		}
	}
	built := make(map[string]bool)
	for _, i := range s.images {
		built[i.ref] = true
		if !used[i.ref] {
			t.Errorf("image %s is built and not used", i.ref)
		}
	}
	for name := range used {
		if strings.HasPrefix(name, "ghcr.io/hp-analytics/") && !built[name] {
			t.Errorf("image %s is used and not built", name)
		}
	}
}

// TestLiveUpdatesCanWrite checks that containers with live updates set no command and have a writable root.
func TestLiveUpdatesCanWrite(t *testing.T) {
	t.Parallel()
	s := execute(t)
	in := rendered(t, s)
	for _, i := range s.images {
		for _, w := range in.Workloads {
			for _, c := range w.Containers() {
				if len(i.liveUpdate) == 0 || !strings.HasPrefix(c.Image, i.ref+":") {
					continue
				}
				if readOnly := c.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || *readOnly || len(c.Command)+len(c.Args) > 0 {
					t.Errorf("%s/%s: container %s cannot be updated", w.Kind, w.Name, c.Name)
				}
			}
		}
	}
}

// TestSecretsAreGiven checks that pods mount only Secrets that are installed: what is generated would be generated anew with every
// rendering.
func TestSecretsAreGiven(t *testing.T) {
	t.Parallel()
	s := execute(t)
	in := rendered(t, s)
	keys := make(map[string][]string)
	for _, o := range in.OfKind("Secret") {
		for key := range o.StringData {
			keys[o.Name] = append(keys[o.Name], key)
		}
		if len(o.Data) > 0 {
			t.Errorf("Secret/%s is generated", o.Name)
		}
	}
	need := func(w manifest.Workload, secret, key string) {
		if !slices.Contains(keys[secret], key) {
			t.Errorf("%s/%s needs the key %s of Secret/%s, which has %q", w.Kind, w.Name, key, secret, keys[secret])
		}
	}
	for _, w := range in.Workloads {
		for _, v := range w.Template.Spec.Volumes {
			if v.Projected == nil {
				continue
			}
			for _, source := range v.Projected.Sources {
				if source.Secret == nil {
					continue
				}
				for _, item := range source.Secret.Items {
					need(w, source.Secret.Name, item.Key)
				}
			}
		}
		for _, c := range w.Containers() {
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					need(w, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
				}
			}
		}
	}
}

// TestButtonsCanLogIn checks that buttons have the credentials and ports of what is installed.
func TestButtonsCanLogIn(t *testing.T) {
	t.Parallel()
	s := execute(t)
	in := rendered(t, s)
	i := slices.IndexFunc(in.Objects, func(o manifest.Object) bool { return o.Kind == "Secret" && len(o.StringData) > 0 })
	if i < 0 {
		t.Fatal("no Secret with passwords")
	}
	secret := in.Objects[i].StringData
	given := make(map[string]string)
	for _, b := range s.buttons {
		for _, word := range b.argv {
			if name, value, ok := strings.Cut(word, "="); ok {
				given[name] = value
			}
		}
	}
	var email string
	for _, w := range in.Workloads {
		for _, c := range w.Containers() {
			if at := slices.Index(c.Args, "--email"); at >= 0 {
				email = c.Args[at+1]
			}
		}
	}
	for name, want := range map[string]string{
		"ADMIN_EMAIL":    email,
		"ADMIN_PASSWORD": secret["password"],
		"DATABASE_URL":   strings.Replace(secret["database-url"], "hp-analytics-postgresql:5432", "localhost:15432", 1),
	} {
		if given[name] != want || want == "" {
			t.Errorf("buttons have %s=%q, want %q", name, given[name], want)
		}
	}
}

// TestServicesCanLogIn checks that the URL of the Secret has the login, the database and the password that Postgres is started with.
func TestServicesCanLogIn(t *testing.T) {
	t.Parallel()
	in := rendered(t, execute(t))
	made := make(map[string]string)
	for _, w := range in.Workloads {
		for _, c := range w.Containers() {
			for _, e := range c.Env {
				if e.Name == "OWNER" || e.Name == "DATABASE" {
					made[e.Name] = e.Value
				}
			}
		}
	}
	for _, o := range in.OfKind("Secret") {
		text, ok := o.StringData["database-url"]
		if !ok {
			continue
		}
		given, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := given.User.Password()
		if given.User.Username() != made["OWNER"] || given.Path != "/"+made["DATABASE"] || password != o.StringData["password"] {
			t.Errorf("%s does not fit Postgres, which is made with %q and the password %q", text, made, o.StringData["password"])
		}
		return
	}
	t.Error("no Secret with the URL of Postgres")
}
