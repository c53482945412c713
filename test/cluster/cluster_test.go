// Package cluster_test installs the platform on a real cluster and does to it what happens to platforms there: load,
// upgrades, evictions, and the loss of Redis or of the operator. `make e2e-cluster` runs it.
package cluster_test

import (
	"os"
	"strings"
	"testing"
)

// step is a part of a story: those after it rely on what it leaves.
type step struct {
	name string
	run  func(t *testing.T, i installation)
}

// tell runs the steps until one fails.
func tell(t *testing.T, i installation, steps ...step) {
	t.Helper()
	for _, s := range steps {
		if !t.Run(s.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					i.explain(t)
				}
			}()
			s.run(t, i)
		}) {
			t.Fatalf("the steps after %s rely on it", s.name)
		}
	}
}

func TestCluster(t *testing.T) {
	if os.Getenv("HELM4") == "" {
		t.Skip("NOT RUN: needs a cluster and images, which make e2e-cluster CLUSTER=… sets up")
	}
	g := givenTools(t)
	// One after the other: each has the machine, and the cluster's one external metrics API, for itself.
	t.Run("Helm4", func(t *testing.T) {
		tell(t, install(t, g, g.helm4, "shop"),
			step{"DemoThroughTheGateway", demoThroughTheGateway},
			step{"HelmTest", helmTest},
			step{"ScalesOnBacklog", scalesOnBacklog},
			step{"RedisKilled", redisKilled},
			step{"OperatorKilled", operatorKilled},
			step{"RollingUpgradeUnderLoad", rollingUpgrade},
			step{"RollbackUnderLoad", rollback},
			step{"RightsSuffice", rightsSuffice}, // before the logs are of warnings only
			step{"ChangedValues", changedValues},
			step{"ChangedMode", changedMode},
			step{"Eviction", eviction},
			step{"SecondInstallation", secondInstallation},
			step{"Uninstall", uninstall},
		)
	})
	t.Run("Helm3", func(t *testing.T) {
		tell(t, install(t, g, g.helm3, "shop-helm3"),
			step{"HelmTest", helmTest},
			step{"RollingUpgradeUnderLoad", rollingUpgrade},
			step{"RollbackUnderLoad", rollback},
			step{"ChangedValues", changedValues},
			step{"Uninstall", uninstall},
		)
	})
}

func demoThroughTheGateway(t *testing.T, i installation) {
	out := i.demo(t, i.gateway(t), "--events", "20000")
	if !strings.Contains(out, "All numbers are equal.") {
		t.Fatal(out)
	}
	t.Log(out[strings.LastIndex(out, "all products"):])
	i.reconcile(t, "reconcile-demo")
}

// helmTest sends events through to analytics from a pod; see templates/tests of the chart.
func helmTest(t *testing.T, i installation) {
	t.Log(i.helm(t, "test", release, "--timeout", "3m"))
}

// rightsSuffice looks whether the operator was ever told that it may not do something: it goes on without, and would
// be the worse for it in silence.
func rightsSuffice(t *testing.T, i installation) {
	for _, pod := range i.names(t, "pod", "app.kubernetes.io/component=operator") {
		logs := i.run(t, "logs", pod)
		for line := range strings.SplitSeq(logs, "\n") {
			if strings.Contains(line, "forbidden") {
				t.Errorf("%s: %s", pod, line)
			}
		}
		if !strings.Contains(logs, "starting") {
			t.Errorf("%s logs nothing:\n%s", pod, logs)
		}
	}
	if events := i.run(t, "get", "events", "--field-selector=involvedObject.kind=AggregatorPool", "-o", "name"); events == "" {
		t.Error("the pool has no events, though it was scaled, lost its metric and found it again")
	}
}
