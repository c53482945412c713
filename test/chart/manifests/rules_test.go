package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

func good(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// problems returns the findings of all rules, as "rule: Kind/name: text".
func problems(t *testing.T, manifests string) []string {
	t.Helper()
	rules, err := allRules()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Read(strings.NewReader(manifests))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rules {
		for _, p := range r.check(manifest.NewInstall(objects)) {
			out = append(out, r.name+": "+p.object.Kind+"/"+p.object.Name+": "+p.text)
		}
	}
	return out
}

func TestGood(t *testing.T) {
	t.Parallel()
	if got := problems(t, good(t)); got != nil {
		t.Errorf("got %q, want none", got)
	}
}

// TestBad breaks the good installation in one place at a time. The rules must find exactly that.
func TestBad(t *testing.T) {
	t.Parallel()
	const (
		second = "\n---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: second}\nspec: {scaleTargetRef: {name: api}}\n"
		pool   = "\n---\nkind: AggregatorPool\nmetadata: {name: pool}\nspec: {deploymentName: operator}\n"
		pod    = `
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec: {automountServiceAccountToken: false, containers: [{name: c, image: "c:1", securityContext: {readOnlyRootFilesystem: true},
  resources: {requests: {cpu: 1, memory: 1}, limits: {cpu: 1, memory: 1}}}]}
`
	)
	for name, test := range map[string]struct {
		old, change string // change replaces the first occurrence of old, or is appended if old is empty
		want        []string
	}{
		"runs as root": {"runAsNonRoot: true", "runAsNonRoot: false", []string{
			"pod-security: Deployment/api: runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"}},
		"no seccomp profile": {", seccompProfile: {type: RuntimeDefault}", "", []string{
			`pod-security: Deployment/api: seccompProfile (pod or containers "first", "api" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`}},
		"a pod of its own": {"", pod, []string{
			`pod-security: Pod/bare: allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ` +
				`unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ` +
				`runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ` +
				`seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`}},
		"init container can write": {"&restricted {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true", "&restricted {allowPrivilegeEscalation: false", []string{
			"read-only-root: Deployment/api: container first: readOnlyRootFilesystem is not true",
			"read-only-root: Deployment/api: container api: readOnlyRootFilesystem is not true"}},
		"tag latest": {"api:1.0.0", "api:latest", []string{
			"image: Deployment/api: container api: image registry.example:5000/api:latest has the tag latest"}},
		"no tag": {"api:1.0.0", "api", []string{
			`image: Deployment/api: container api: image "registry.example:5000/api" has neither tag nor digest`}},
		"no tag in a cron job": {"nightly:1.0.0", "nightly", []string{
			`image: CronJob/nightly: container nightly: image "nightly" has neither tag nor digest`}},
		"no cpu limit": {"          resources: &resources {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, ", "          resources: &resources {requests: {cpu: 10m, memory: 16Mi}, limits: {", []string{
			"resources: Deployment/api: container first: no resources.limits.cpu",
			"resources: Deployment/api: container api: no resources.limits.cpu"}},
		"memory request of nothing": {"          resources: {requests: {cpu: 10m, memory: 16Mi}", "          resources: {requests: {cpu: 10m, memory: 0}", []string{
			"resources: Deployment/operator: container operator: no resources.requests.memory"}},
		"replicas beside an HPA": {"  selector: {matchLabels: {app: api}}", "  replicas: 2\n  selector: {matchLabels: {app: api}}", []string{
			"replicas: Deployment/api: replicas: 2, which HorizontalPodAutoscaler/api scales"}},
		"replicas beside a pool": {"", pool, []string{
			"replicas: Deployment/operator: replicas: 2, which AggregatorPool/pool scales"}},
		"HPA of nothing": {"kind: Deployment, name: api", "kind: Deployment, name: ape", []string{
			"scaling-target: HorizontalPodAutoscaler/api: scales Deployment/ape, which does not exist"}},
		"two autoscalers": {"", second, []string{
			"scaling-target: ScaledObject/second: scales Deployment/api, as HorizontalPodAutoscaler/api does"}},
		"service matches nothing": {"spec: {selector: {app: api}", "spec: {selector: {app: ape}", []string{
			"selector: Service/api: selector app=ape matches no pods"}},
		"service matches two": {"        metadata: {labels: {app: nightly}}", "        metadata: {labels: {app: api}}", []string{
			"selector: PodDisruptionBudget/api: selector app in (api) matches the pods of Deployment/api and of CronJob/nightly",
			"selector: Service/api: selector app=api matches the pods of Deployment/api and of CronJob/nightly",
			"selector: Service/api: port http: no container of CronJob/nightly has a port http"}},
		"budget matches nothing": {"values: [api]", "values: [ape]", []string{
			"selector: PodDisruptionBudget/api: selector app in (ape) matches no pods"}},
		"budget without selector": {", selector: {matchExpressions: [{key: app, operator: In, values: [api]}]}", "", []string{
			"selector: PodDisruptionBudget/api: selector  matches no pods"}},
		"workload does not match itself": {"{matchLabels: {app: operator}}", "{matchLabels: {app: operater}}", []string{
			"selector: Deployment/operator: its selector app=operater does not match its own pods"}},
		"named port missing": {"targetPort: http", "targetPort: https", []string{
			"selector: Service/api: port http: no container of Deployment/api has a port https"}},
		"ingress to no service": {"service: {name: api", "service: {name: ape", []string{
			"backend: Ingress/api: routes to Service/ape, which does not exist"}},
		"ingress to no port": {"port: {name: http}", "port: {name: web}", []string{
			"backend: Ingress/api: routes to port 0web of Service/api, which it does not have"}},
		"route to no port": {"backendRefs: [{name: api, port: 8080}]", "backendRefs: [{name: api, port: 80}]", []string{
			"backend: HTTPRoute/api: routes to port 80 of Service/api, which it does not have"}},
		"token by the account": {"automountServiceAccountToken: false", "automountServiceAccountToken: true", []string{
			"token: Deployment/api: automountServiceAccountToken is not false"}},
		"token by default": {"          automountServiceAccountToken: false\n", "", []string{
			"token: CronJob/nightly: automountServiceAccountToken is not false"}},
		"account missing": {"serviceAccountName: operator", "serviceAccountName: operater", []string{
			"token: Deployment/operator: runs as ServiceAccount/operater, which does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manifests := good(t) + test.change
			if test.old != "" {
				manifests = strings.Replace(good(t), test.old, test.change, 1)
				if manifests == good(t) {
					t.Fatalf("good.yaml has no %q", test.old)
				}
			}
			if diff := cmp.Diff(test.want, problems(t, manifests)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte(strings.Replace(good(t), "api:1.0.0", "api:latest", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	if err := run([]string{"testdata/good.yaml", "-"}, strings.NewReader(good(t)), &stdout, io.Discard); err != nil || stdout.Len() > 0 {
		t.Errorf("good manifests: %v, %q", err, stdout.String())
	}
	if err := run([]string{"-skip", "image,token", bad}, nil, &stdout, io.Discard); err != nil || stdout.Len() > 0 {
		t.Errorf("rule left out: %v, %q", err, stdout.String())
	}
	if err := run([]string{"testdata/good.yaml", bad}, nil, &stdout, io.Discard); err == nil || err.Error() != "1 problems" {
		t.Errorf("bad manifests: %v", err)
	}
	if want := bad + ": Deployment/api: image: container api"; !strings.HasPrefix(stdout.String(), want) {
		t.Errorf("got %q, want %q first", stdout.String(), want)
	}
	for _, args := range [][]string{nil, {"testdata/none.yaml"}, {"-"}, {"-skip", "imaje", "testdata/good.yaml"}} {
		if err := run(args, strings.NewReader("# nothing\n"), &stdout, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
