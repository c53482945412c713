package cluster_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	aggregator = "deployment/" + release + "-aggregator"
	pool       = release + "-aggregator"
	// scaledOutLimit bounds the time from a backlog to the replicas that it needs: one poll of the queue (5 s), the period of
	// the HPA (15 s by default), and a margin for the API server.
	scaledOutLimit = 30 * time.Second
)

// replicas checks that the aggregator is scaled to want replicas.
func (i installation) replicas(t *testing.T, want int) func() error {
	return func() error {
		if n := i.number(t, aggregator, ".spec.replicas"); n != want {
			return fmt.Errorf("%d replicas, want %d", n, want)
		}
		return nil
	}
}

// maxReplicas is the upper bound that testdata/values.yaml sets.
func (i installation) maxReplicas(t *testing.T) int {
	t.Helper()
	n := i.number(t, "aggregatorpool/"+pool, ".spec.maxReplicas")
	if n < 2 {
		t.Fatalf("maxReplicas = %d: nothing to see", n)
	}
	return n
}

// slow limits the CPU time of the aggregator so much that a backlog builds up.
func (i installation) slow(t *testing.T) {
	t.Helper()
	i.upgrade(t, "--set", "aggregator.foldRowBudget=20,aggregator.resources.requests.cpu=10m,aggregator.resources.limits.cpu=20m")
}

// fill runs the demo in the background and returns a function that waits for its result.
func (i installation) fill(t *testing.T, p platform, events int) (wait func()) {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		out, err := commandWith(t.Context(), []string{"ADMIN_EMAIL=" + adminEmail, "ADMIN_PASSWORD=" + i.secret(t, release+"-admin", "password")},
			i.program, "demo", "--url", p.url, "--events", strconv.Itoa(events), "--seed", strconv.FormatInt(time.Now().UnixNano(), 10))
		if err != nil {
			out = err.Error()
		}
		done <- out
	}()
	return func() {
		t.Helper()
		if out := <-done; !strings.Contains(out, "All numbers are equal.") {
			t.Fatal(out)
		}
	}
}

func scalesOnBacklog(t *testing.T, i installation) {
	most := i.maxReplicas(t)
	i.slow(t)
	eventually(t, time.Minute, "one aggregator before the backlog", i.replicas(t, 1))
	wait := i.fill(t, i.gateway(t), 150_000)
	target := i.number(t, "aggregatorpool/"+pool, ".spec.targetBacklogPerReplica")
	eventually(t, time.Minute, "a backlog for all replicas", func() error {
		n, err := i.backlog(t, pool)
		if err == nil && n <= target*(most-1) {
			err = fmt.Errorf("backlog %d", n)
		}
		return err
	})
	began := time.Now()
	out := eventually(t, scaledOutLimit, fmt.Sprintf("%d aggregators wanted", most), i.replicas(t, most))
	i.rolledOut(t, aggregator, time.Minute)
	t.Logf("backlog beyond %d: %d replicas wanted %s after it was seen, all ready after %s", target*(most-1), most, out.Round(time.Second), time.Since(began).Round(time.Second))
	t.Logf("at load:\n%s\n%s", i.run(t, "get", "aggregatorpools"), i.run(t, "get", "hpa"))
	wait() // every number is right although workers came and went
	t.Logf("drained %s after the backlog was seen", time.Since(began).Round(time.Second))
	back := eventually(t, 3*time.Minute, "back to one aggregator", i.replicas(t, 1))
	t.Logf("one replica again %s after that:\n%s", back.Round(time.Second), i.run(t, "get", "aggregatorpools"))
	i.reconcile(t, "reconcile-scaling")
}

// scaledOut creates a backlog and waits until all replicas run.
func (i installation) scaledOut(t *testing.T, events int) (most int, wait func()) {
	t.Helper()
	most = i.maxReplicas(t)
	wait = i.fill(t, i.gateway(t), events)
	eventually(t, 2*time.Minute, "all aggregators wanted", i.replicas(t, most))
	return most, wait
}

func redisKilled(t *testing.T, i installation) {
	redis := "statefulset/" + release + "-redis"
	most, wait := i.scaledOut(t, 100_000)
	i.run(t, "scale", redis, "--replicas=0")
	began := time.Now()
	eventually(t, time.Minute, "the metric is an error, not a number", func() error {
		n, err := i.backlog(t, pool)
		if err == nil {
			return fmt.Errorf("it is %d", n)
		}
		if !strings.Contains(err.Error(), "snapshot") && !strings.Contains(err.Error(), "ServiceUnavailable") {
			t.Fatalf("an error of another kind: %v", err)
		}
		t.Logf("%s after Redis went: %s", time.Since(began).Round(time.Second), lastLine(err))
		return nil
	})
	// Events are folded without Redis, and nothing is scaled down for much longer than the window of the HPA.
	throughout(t, 40*time.Second, "held while nothing is known", i.replicas(t, most))
	status, reason := i.condition(t, "hpa/"+pool, "ScalingActive")
	if status != "False" {
		t.Errorf("HPA: ScalingActive is %s (%s) without a metric", status, reason)
	}
	available, why := i.condition(t, "aggregatorpool/"+pool, "MetricsAvailable")
	if available != "False" {
		t.Errorf("AggregatorPool: MetricsAvailable is %s (%s) without Redis", available, why)
	}
	t.Logf("HPA: %s, AggregatorPool: %s; %d replicas held", reason, why, most)
	i.run(t, "scale", redis, "--replicas=1")
	i.rolledOut(t, redis, time.Minute)
	wait()
	back := eventually(t, 3*time.Minute, "back to one aggregator", i.replicas(t, 1))
	t.Logf("one replica again %s after Redis and the backlog", back.Round(time.Second))
	i.reconcile(t, "reconcile-redis")
}

func operatorKilled(t *testing.T, i installation) {
	most, wait := i.scaledOut(t, 300_000) // the backlog outlasts the start of the operator
	pods := i.names(t, "pod", "app.kubernetes.io/component=operator")
	i.run(t, append([]string{"delete", "--force", "--grace-period=0"}, pods...)...)
	lowest := most
	_, err := poll(t.Context(), 2*time.Minute, func() error {
		n, backlogErr := i.backlog(t, pool)
		lowest = min(lowest, i.number(t, aggregator, ".spec.replicas"))
		switch {
		case backlogErr != nil:
			return backlogErr
		case n == 0:
			return errors.New("no backlog left, or a wrong 0")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the metric comes back: %v", err)
	}
	if lowest != most {
		t.Errorf("scaled to %d while the operator was away and a backlog stood, want %d", lowest, most)
	}
	t.Logf("%d pods of the operator killed: %d replicas held until the metric was back", len(pods), most)
	i.rolledOut(t, "deployment/"+release+"-operator", time.Minute)
	wait()
	eventually(t, 3*time.Minute, "back to one aggregator", i.replicas(t, 1))
}

func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return lines[len(lines)-1]
}
