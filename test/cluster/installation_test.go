package cluster_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// tools are the programs that the tests use; see the Makefile.
type tools struct {
	helm4, helm3 string // programs
	program      string // hp-analytics, for the demo
	values       string // a values file with images that the cluster has
	chart        string
}

func givenTools(t *testing.T) (g tools) {
	t.Helper()
	for name, into := range map[string]*string{
		"HELM4": &g.helm4, "HELM3": &g.helm3, "HP_ANALYTICS": &g.program, "IMAGE_VALUES": &g.values, "CHART": &g.chart,
	} {
		value, err := needed(name)
		if err != nil {
			t.Fatal(err)
		}
		*into = value
	}
	return g
}

// release is the name of the Helm release. It contains the chart's name, so it is also the prefix of every object.
const release = "hp-analytics"

// adminEmail is the admin of the values file.
const adminEmail = "admin@example.com"

// installation is a release in its own namespace.
type installation struct {
	kube
	tools
	helmProgram string
}

// install creates a namespace that enforces the restricted Pod Security level, and installs the chart into it.
func install(t *testing.T, g tools, helm, namespace string, args ...string) installation {
	t.Helper()
	i := installation{kube: kube{namespace}, tools: g, helmProgram: helm}
	i.run(t, "create", "namespace", namespace)
	i.run(t, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	began := time.Now()
	i.helm(t, append([]string{"install", release, g.chart, "--values", "testdata/values.yaml", "--values", g.values, "--wait", "--timeout", "8m"}, args...)...)
	t.Logf("%s install: everything is ready after %s", i.helmVersion(t), time.Since(began).Round(time.Second))
	return i
}

// helm runs Helm on the release's namespace.
func (i installation) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t.Context(), i.helmProgram, append([]string{"--namespace", i.namespace}, args...)...)
	if err != nil {
		i.explain(t)
		t.Fatal(err)
	}
	return out
}

// upgrade changes values of the release, keeps all others, and waits until everything is ready.
func (i installation) upgrade(t *testing.T, args ...string) {
	t.Helper()
	i.helm(t, append([]string{"upgrade", release, i.chart, "--reuse-values", "--wait", "--timeout", "8m"}, args...)...)
}

func (i installation) helmVersion(t *testing.T) string {
	t.Helper()
	return "helm " + must(t)(command(t.Context(), i.helmProgram, "version", "--short"))
}

// explain logs the state that helps to find the cause of a failure.
func (i installation) explain(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "all,aggregatorpools,hpa"},
		{"get", "events", "--field-selector=type!=Normal"},
	} {
		out, err := command(context.WithoutCancel(t.Context()), "kubectl", append([]string{"--namespace", i.namespace}, args...)...)
		t.Logf("kubectl %s\n%s %v", strings.Join(args, " "), out, err)
	}
	pods, _ := command(context.WithoutCancel(t.Context()), "kubectl", "--namespace", i.namespace, "get", "pods", "-o", "name")
	for pod := range strings.FieldsSeq(pods) {
		out, _ := command(context.WithoutCancel(t.Context()), "kubectl", "--namespace", i.namespace, "logs", pod, "--all-containers", "--tail=8")
		t.Logf("logs of %s\n%s", pod, out)
	}
}

// password reads the first admin's password as the chart's notes describe.
func (i installation) password(t *testing.T) string {
	t.Helper()
	return i.secret(t, release+"-admin", "password")
}

// gateway forwards a local port to the platform as the chart's notes describe, and waits until the gateway reaches all
// services: kube-proxy learns of a pod some time after Helm sees that it is ready.
func (i installation) gateway(t *testing.T) platform {
	t.Helper()
	p := platform{url: i.forward(t, "service/"+release+"-gateway", "8080"), http: http.DefaultClient}
	eventually(t, 30*time.Second, "the gateway reaches all services", func() error {
		return p.call(t.Context(), http.MethodGet, "/ready", "", nil, nil, http.StatusOK)
	})
	return p
}

// demo runs the simulated shop against the platform, which checks every number; args say how much.
func (i installation) demo(t *testing.T, p platform, args ...string) string {
	t.Helper()
	out, err := commandWith(t.Context(), []string{"ADMIN_EMAIL=" + adminEmail, "ADMIN_PASSWORD=" + i.password(t)},
		i.program, append([]string{"demo", "--url", p.url}, args...)...)
	return must(t)(out, err)
}

// reconcile recounts every rollup inside the cluster; the job fails if anything differs.
func (i installation) reconcile(t *testing.T, name string) {
	t.Helper()
	out := i.jobFrom(t, release+"-reconcile", name, 3*time.Minute)
	if !strings.Contains(out, ": 0 differences.") {
		t.Fatalf("reconcile says:\n%s", out)
	}
	t.Log("reconcile:", out[strings.LastIndex(out, "Recounted"):])
}

func TestMain(m *testing.M) {
	if os.Getenv("KUBECONFIG") != "" || os.Getenv("HELM4") == "" {
		os.Exit(m.Run())
	}
	panic("KUBECONFIG is not set: these tests change the cluster, so they want it named")
}
