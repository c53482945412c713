package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// services are the deployments of the platform.
var services = []string{"auth", "catalog", "ingest", "analytics", "aggregator"}

// newTag names the same image, so that an upgrade to it replaces every pod.
const newTag = "e2e-next"

// tags returns the tags that each service's pods run now.
func (i installation) tags(t *testing.T) map[string]bool {
	t.Helper()
	tags := map[string]bool{}
	for _, service := range services {
		image := i.field(t, "deployment/"+release+"-"+service, ".spec.template.spec.containers[0].image")
		tags[image[strings.LastIndex(image, ":")+1:]] = true
		i.rolledOut(t, "deployment/"+release+"-"+service, time.Minute)
	}
	return tags
}

// servicePods returns the names of the services' pods, except those that are terminating.
func (i installation) servicePods(t *testing.T) []string {
	t.Helper()
	return strings.Fields(i.run(t, "get", "pods", "-l", "app.kubernetes.io/component in ("+strings.Join(services, ",")+")",
		"-o", "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}"))
}

// replaceAllUnderLoad runs change, which must replace every pod of every service, under load. Every request must succeed, and
// every accepted event must be counted once.
func replaceAllUnderLoad(t *testing.T, i installation, what string, change func()) {
	t.Helper()
	p := i.gateway(t)
	s := p.newShop(t, p.login(t, adminEmail, i.password(t)))
	before := i.servicePods(t)
	began := time.Now()
	l := underLoad(t, p, s, func() {
		change()
		i.tags(t) // waits for each pod
	})
	after := i.servicePods(t)
	for _, pod := range before {
		if slices.Contains(after, pod) {
			t.Errorf("%s was not replaced", pod)
		}
	}
	l.flawless(t, fmt.Sprintf("%s in %s", what, time.Since(began).Round(time.Second)))
	eventually(t, 30*time.Second, "every accepted event is counted", func() error {
		n, err := p.counted(t.Context(), s)
		if err == nil && n != l.events {
			err = fmt.Errorf("%d events are counted, %d were accepted", n, l.events)
		}
		return err
	})
	t.Logf("%d accepted events, all counted once", l.events)
}

func rollingUpgrade(t *testing.T, i installation) {
	replaceAllUnderLoad(t, i, "upgrade of every service", func() { i.upgrade(t, "--set", "image.tag="+newTag) })
	if tags := i.tags(t); len(tags) != 1 || !tags[newTag] {
		t.Errorf("the services run %v", tags)
	}
}

func rollback(t *testing.T, i installation) {
	replaceAllUnderLoad(t, i, "rollback of every service", func() { i.helm(t, "rollback", release, "--wait", "--timeout", "8m") })
	if tags := i.tags(t); tags[newTag] {
		t.Errorf("the services run %v", tags)
	}
	i.reconcile(t, "reconcile-rollback")
}

// changedValues changes values as an administrator does: secrets stay, the bounds of scaling change, and pods get the new
// settings.
func changedValues(t *testing.T, i installation) {
	password := i.password(t)
	i.upgrade(t, "--set", "aggregator.autoscaling.maxReplicas=5", "--set", "config.logLevel=warn", "--set", "services.catalog.replicas=1")
	if i.password(t) != password {
		t.Error("the admin's generated password has changed")
	}
	eventually(t, 30*time.Second, "the HPA has the new bound", func() error {
		if n := i.number(t, "hpa/"+pool, ".spec.maxReplicas"); n != 5 {
			return fmt.Errorf("maxReplicas is %d", n)
		}
		return nil
	})
	if n := i.number(t, "deployment/"+release+"-catalog", ".status.readyReplicas"); n != 1 {
		t.Errorf("%d replicas of catalog, want 1", n)
	}
	p := i.gateway(t)
	p.login(t, adminEmail, password)
}

// changedMode hands the aggregator to another autoscaler and back. Exactly one must manage it each time: with two HPAs,
// Kubernetes follows neither.
func changedMode(t *testing.T, i installation) {
	scalers := func() string {
		return strings.Join(strings.Fields(i.run(t, "get", "hpa", "-o", "go-template="+
			`{{range .items}}{{if eq .spec.scaleTargetRef.name "`+release+`-aggregator"}}{{.metadata.name}} {{end}}{{end}}`)), " ")
	}
	want := func(name string) func() error {
		return func() error {
			if got := scalers(); got != name {
				return fmt.Errorf("the HPAs of the aggregator are %q, want %q", got, name)
			}
			return nil
		}
	}
	i.upgrade(t, "--set", "aggregator.autoscaling.mode=cpu")
	eventually(t, 30*time.Second, "one HPA on CPU", want(release+"-aggregator-cpu"))
	if left := i.names(t, "deployment", "app.kubernetes.io/component=operator"); len(left) > 0 {
		t.Errorf("without its mode there is still %v", left)
	}
	i.upgrade(t, "--set", "aggregator.autoscaling.mode=builtin")
	eventually(t, 30*time.Second, "one HPA on the backlog", want(pool))
	eventually(t, 30*time.Second, "the metric is back", func() error {
		_, err := i.backlog(t, pool)
		return err
	})
}

// eviction evicts the pods of a service as draining their node does. The second must be refused until the first has been
// replaced.
func eviction(t *testing.T, i installation) {
	for _, service := range []string{"ingest", "operator", "gateway"} {
		pods := i.names(t, "pod", "app.kubernetes.io/component="+service)
		if len(pods) < 2 {
			t.Fatalf("%s has %d pods", service, len(pods))
		}
		if i.evict(t, pods[0]) {
			t.Errorf("%s: the first eviction is refused", service)
		}
		if !i.evict(t, pods[1]) {
			t.Errorf("%s: both pods may be evicted at once", service)
		}
		i.rolledOut(t, "deployment/"+release+"-"+service, 2*time.Minute)
		if i.evict(t, pods[1]) {
			t.Errorf("%s: the second eviction is refused though the first has a successor", service)
		}
		i.rolledOut(t, "deployment/"+release+"-"+service, 2*time.Minute)
	}
}

// secondInstallation installs a release in another namespace. The external metrics API must stay with the first one, and the
// user must be told.
func secondInstallation(t *testing.T, i installation) {
	out := must(t)(command(t.Context(), i.helmProgram, "--namespace", "second", "install", release, i.chart,
		"--values", "testdata/values.yaml", "--values", i.values, "--set", "aggregator.autoscaling.mode=auto", "--dry-run=server"))
	if strings.Contains(out, "kind: APIService") || strings.Contains(out, "kind: AggregatorPool") {
		t.Error("the second installation would take over the external metrics API")
	}
	if !strings.Contains(out, "external.metrics.k8s.io") {
		t.Errorf("the notes do not say why it falls back:\n%s", tail(out))
	}
	if out, err := command(t.Context(), i.helmProgram, "--namespace", "second", "install", release, i.chart,
		"--values", "testdata/values.yaml", "--values", i.values, "--set", "aggregator.autoscaling.mode=builtin", "--dry-run=server"); err == nil {
		t.Errorf("mode builtin is accepted though the API belongs to somebody else:\n%s", tail(out))
	}
}

// uninstall must leave only what the chart documents: the CRD, and here no Secret, because the data of the databases is
// deleted with the release.
func uninstall(t *testing.T, i installation) {
	t.Log(i.helm(t, "uninstall", release, "--wait", "--timeout", "3m"))
	kinds := i.run(t, "api-resources", "--verbs=list", "--namespaced", "-o", "name")
	kinds = strings.Join(strings.Fields(kinds), ",")
	eventually(t, time.Minute, "nothing is left", func() error {
		var left []string
		for name := range strings.FieldsSeq(i.run(t, "get", kinds, "-o", "name", "--ignore-not-found")) {
			if !strings.HasPrefix(name, "event") && name != "configmap/kube-root-ca.crt" && name != "serviceaccount/default" {
				left = append(left, name)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	for _, kind := range []string{"apiservice", "clusterrole", "clusterrolebinding"} {
		if found := strings.Fields(i.run(t, "get", kind, "-l", "app.kubernetes.io/instance="+release, "-o", "name")); len(found) > 0 {
			t.Errorf("left in the cluster: %v", found)
		}
	}
	for name := range strings.FieldsSeq(kube{"kube-system"}.run(t, "get", "rolebinding", "-l", "app.kubernetes.io/instance="+release, "-o", "name")) {
		t.Errorf("left in kube-system: %s", name)
	}
	began := time.Now()
	i.run(t, "delete", "namespace", i.namespace, "--timeout=2m")
	t.Logf("the namespace was deleted in %s", time.Since(began).Round(time.Second))
}
