package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kube runs kubectl in one namespace.
type kube struct{ namespace string }

// run runs kubectl and fails the test if there is an error.
func (k kube) run(t *testing.T, args ...string) string {
	t.Helper()
	return must(t)(k.try(t, args...))
}

func (k kube) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command(t.Context(), "kubectl", append([]string{"--namespace", k.namespace}, args...)...)
}

// field returns a field of an object by JSONPath; "" when the object has no such field.
func (k kube) field(t *testing.T, object, path string) string {
	t.Helper()
	return k.run(t, "get", object, "-o", "jsonpath={"+path+"}")
}

// number is field for a number; a missing one is 0.
func (k kube) number(t *testing.T, object, path string) int {
	t.Helper()
	text := k.field(t, object, path)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s %s: %v", object, path, err)
	}
	return n
}

// names returns the names, such as pod/x, of the objects of a kind that match a selector and are not being removed.
func (k kube) names(t *testing.T, kind, selector string) []string {
	t.Helper()
	const each = `{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`
	names := strings.Fields(k.run(t, "get", kind, "-l", selector, "-o", "go-template="+each))
	for i, name := range names {
		names[i] = kind + "/" + name
	}
	return names
}

// rolledOut waits until the rollout of a workload is complete.
func (k kube) rolledOut(t *testing.T, workload string, limit time.Duration) {
	t.Helper()
	k.run(t, "rollout", "status", workload, "--timeout", limit.String())
}

// condition returns status and reason of a condition of an object.
func (k kube) condition(t *testing.T, object, kind string) (status, reason string) {
	t.Helper()
	filter := `.status.conditions[?(@.type=="` + kind + `")]`
	return k.field(t, object, filter+".status"), k.field(t, object, filter+".reason")
}

// secret returns a decoded entry of a Secret.
func (k kube) secret(t *testing.T, name, key string) string {
	t.Helper()
	return k.run(t, "get", "secret", name, "-o", `go-template={{index .data "`+key+`" | base64decode}}`)
}

// jobFrom runs a job of a CronJob and returns its output.
func (k kube) jobFrom(t *testing.T, cronJob, name string, limit time.Duration) string {
	t.Helper()
	k.run(t, "create", "job", name, "--from", "cronjob/"+cronJob)
	defer k.run(t, "delete", "job", name, "--wait=false")
	eventually(t, limit, "job "+name+" has ended", func() error {
		if k.number(t, "job/"+name, ".status.succeeded") > 0 {
			return nil
		}
		if k.number(t, "job/"+name, ".status.failed") > 0 {
			logs, _ := k.try(t, "logs", "job/"+name, "--tail=50")
			t.Fatalf("job %s failed:\n%s", name, logs)
		}
		return errors.New("still running")
	})
	return k.run(t, "logs", "job/"+name)
}

// backlog reads the external metric as the HPA does: the sum over all queues of the pool.
func (k kube) backlog(t *testing.T, pool string) (int, error) {
	t.Helper()
	out, err := k.try(t, "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+k.namespace+
		"/hpa_queue_backlog?labelSelector=pool%3D"+pool)
	if err != nil {
		return 0, err
	}
	var list struct {
		Items []struct{ Value string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) == 0 {
		return 0, fmt.Errorf("no value for pool %s", pool)
	}
	sum := 0
	for _, item := range list.Items {
		n, err := strconv.Atoi(item.Value)
		if thousands, found := strings.CutSuffix(item.Value, "k"); found { // a resource.Quantity prints 4000 as 4k
			n, err = strconv.Atoi(thousands)
			n *= 1000
		}
		if err != nil {
			t.Fatalf("value %q: %v", item.Value, err)
		}
		sum += n
	}
	return sum, nil
}

// evict requests the eviction of a pod, as `kubectl drain` does. It reports whether a disruption budget refused it.
func (k kube) evict(t *testing.T, pod string) (refused bool) {
	t.Helper()
	name := strings.TrimPrefix(pod, "pod/")
	body := t.TempDir() + "/eviction.json"
	writeFile(t, body, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+name+`","namespace":"`+k.namespace+`"}}`)
	_, err := k.try(t, "create", "--raw", "/api/v1/namespaces/"+k.namespace+"/pods/"+name+"/eviction", "-f", body)
	if err != nil && !strings.Contains(err.Error(), "disruption budget") {
		t.Fatal(err)
	}
	return err != nil
}
