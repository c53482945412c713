// Package cluster_test installs the platform on a real cluster and tests it under load, upgrades, evictions, and the loss of
// Redis or of the operator. `make e2e-cluster` runs it.
package cluster_test

import (
	"os"
	"strings"
	"testing"
)

// step is one of a sequence of subtests. Later steps rely on the state that it leaves.
type step struct {
	name string
	run  func(t *testing.T, i installation)
}

// runSteps runs the steps until one fails.
func runSteps(t *testing.T, i installation, steps ...step) {
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
	// Not in parallel: each needs the whole machine and the cluster's only external metrics API.
	t.Run("Helm4", func(t *testing.T) {
		runSteps(t, install(t, g, g.helm4, "shop"),
			step{"DemoThroughTheGateway", demoThroughTheGateway},
			step{"HelmTest", helmTest},
			step{"ScalesOnBacklog", scalesOnBacklog},
			step{"RedisKilled", redisKilled},
			step{"OperatorKilled", operatorKilled},
			step{"MigrationUnderLoad", migrationUnderLoad},
			step{"RollingUpgradeUnderLoad", rollingUpgrade},
			step{"RollbackUnderLoad", rollback},
			step{"RightsSuffice", rightsSuffice}, // before the log level is raised to warnings
			step{"ChangedValues", changedValues},
			step{"ChangedMode", changedMode},
			step{"Eviction", eviction},
			step{"SecondInstallation", secondInstallation},
			step{"Uninstall", uninstall},
		)
	})
	t.Run("Helm3", func(t *testing.T) {
		runSteps(t, install(t, g, g.helm3, "shop-helm3"),
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

// helmTest runs the chart's test, which sends events and reads the numbers from a pod; see templates/tests.
func helmTest(t *testing.T, i installation) {
	t.Log(i.helm(t, "test", release, "--timeout", "3m"))
}

// rightsSuffice checks that the Kubernetes API never refused a request of the operator. The operator continues after such a
// refusal, so nothing else would show it.
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
