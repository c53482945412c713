package pool

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/clustertest"
)

// waitTimeout limits how long a test waits on a busy machine.
const waitTimeout = 60 * time.Second

// bench is a namespace of a real API server in which the controller runs.
type bench struct {
	*clustertest.Cluster
	t         *testing.T
	namespace string
	snapshot  *backlog.Snapshot
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cluster := clustertest.Get(t)
	b := &bench{Cluster: cluster, t: t, namespace: cluster.Namespace(t), snapshot: backlog.NewSnapshot(time.Hour)}
	b.snapshot.Put("rollups", backlog.Reading{Backlog: 40, OldestPending: time.Minute, Time: time.Now()})
	manager, err := ctrl.NewManager(cluster.Config, ctrl.Options{
		Scheme:     cluster.Client.Scheme(),
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{b.namespace: {}}},
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciler := &Reconciler{
		Client: manager.GetClient(), Backlog: b.snapshot, Service: service,
		Events: manager.GetEventRecorder(FieldOwner), Logger: platformtest.Logger(t), Interval: 200 * time.Millisecond,
	}
	if err := reconciler.SetupWithManager(manager); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager stopped with %v", err)
		}
	})
	return b
}

func (b *bench) pool(name string) *v1alpha1.AggregatorPool {
	return &v1alpha1.AggregatorPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name},
		Spec: v1alpha1.AggregatorPoolSpec{
			DeploymentName: "aggregator", Queues: []string{"rollups"}, MinReplicas: 1, MaxReplicas: 10, TargetBacklogPerReplica: 4,
		},
	}
}

func (b *bench) deployment(replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "aggregator"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "aggregator"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "aggregator", Image: "aggregator:test"}}},
			},
		},
	}
}

// foreign returns an autoscaler that the operator does not own.
func (b *bench) foreign(name string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "aggregator"},
			MaxReplicas:    3,
		},
	}
}

// hpa returns an autoscaler, or nil.
func (b *bench) hpa(name string) *autoscalingv2.HorizontalPodAutoscaler {
	b.t.Helper()
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := b.Client.Get(b.t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, &hpa)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return &hpa
}

func (b *bench) eventually(what string, condition func() bool) {
	b.t.Helper()
	platformtest.Eventually(b.t, waitTimeout, what, condition)
}

// untilReady waits until the condition Ready of a pool has this reason, and returns the pool.
func (b *bench) untilReady(name, reason string) *v1alpha1.AggregatorPool {
	b.t.Helper()
	var pool v1alpha1.AggregatorPool
	b.eventually(name+" says "+reason, func() bool {
		if err := b.Client.Get(b.t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, &pool); err != nil {
			b.t.Fatal(err)
		}
		ready := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == reason
	})
	return &pool
}

// change updates an object and retries on conflicts.
func change[T client.Object](b *bench, object T, with func(T)) {
	b.t.Helper()
	b.eventually("a change", func() bool {
		if err := b.Client.Get(b.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			b.t.Fatal(err)
		}
		with(object)
		err := b.Client.Update(b.t.Context(), object)
		if err != nil && !apierrors.IsConflict(err) {
			b.t.Fatal(err)
		}
		return err == nil
	})
}

// event waits for an event of this reason about a pool.
func (b *bench) event(pool, reason string) {
	b.t.Helper()
	b.eventually("an event "+reason, func() bool {
		var list eventsv1.EventList
		if err := b.Client.List(b.t.Context(), &list, client.InNamespace(b.namespace)); err != nil {
			b.t.Fatal(err)
		}
		for _, event := range list.Items {
			if event.Regarding.Name == pool && event.Reason == reason {
				return true
			}
		}
		return false
	})
}

func TestAutoscalerFollowsThePool(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pool := b.pool("aggregator")
	window := int32(60)
	pool.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &window},
	}
	deployment := b.deployment(2)
	b.Create(t, deployment, pool)
	b.eventually("an autoscaler", func() bool { return b.hpa("aggregator") != nil })
	hpa := b.hpa("aggregator")
	if !metav1.IsControlledBy(hpa, pool) {
		t.Errorf("owners are %v", hpa.OwnerReferences)
	}
	external := hpa.Spec.Metrics[0].External
	if *hpa.Spec.MinReplicas != 1 || hpa.Spec.MaxReplicas != 10 || hpa.Spec.ScaleTargetRef.Name != "aggregator" ||
		len(hpa.Spec.Metrics) != 1 || external.Metric.Name != "hpa_queue_backlog" ||
		external.Metric.Selector.MatchLabels["pool"] != "aggregator" ||
		external.Target.Type != autoscalingv2.AverageValueMetricType || external.Target.AverageValue.Value() != 4 ||
		*hpa.Spec.Behavior.ScaleDown.StabilizationWindowSeconds != window {
		t.Errorf("the autoscaler is %+v", hpa.Spec)
	}
	b.event("aggregator", "AutoscalerCreated")

	// A change of the pool is applied, and removed fields disappear.
	change(b, pool, func(p *v1alpha1.AggregatorPool) { p.Spec.MaxReplicas, p.Spec.Behavior = 20, nil })
	b.eventually("the change", func() bool {
		hpa := b.hpa("aggregator")
		return hpa.Spec.MaxReplicas == 20 && hpa.Spec.Behavior == nil
	})
	// A change by anybody else is reverted.
	change(b, b.hpa("aggregator"), func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas = 99 })
	b.eventually("the old maximum", func() bool { return b.hpa("aggregator").Spec.MaxReplicas == 20 })
	// So is a deletion.
	if err := b.Client.Delete(t.Context(), b.hpa("aggregator")); err != nil {
		t.Fatal(err)
	}
	b.eventually("a new autoscaler", func() bool { return b.hpa("aggregator") != nil })
	// An unrelated change does not cause a write.
	before := b.hpa("aggregator").ResourceVersion
	for replicas := range int32(3) {
		b.eventually("a change of the Deployment's status", func() bool {
			deployment.Status.Replicas = replicas + 1
			return b.Client.Status().Update(t.Context(), deployment) == nil
		})
		b.eventually("it is seen", func() bool {
			if err := b.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), pool); err != nil {
				t.Fatal(err)
			}
			return pool.Status.Replicas != nil && *pool.Status.Replicas == replicas+1
		})
	}
	if after := b.hpa("aggregator").ResourceVersion; after != before {
		t.Error("the autoscaler is written again and again")
	}
}

func TestPausedPoolKeepsReplicas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	deployment, pool := b.deployment(5), b.pool("aggregator")
	b.Create(t, deployment, pool)
	bounds := func(lowest, highest int32) func() bool {
		return func() bool {
			hpa := b.hpa("aggregator")
			return hpa != nil && *hpa.Spec.MinReplicas == lowest && hpa.Spec.MaxReplicas == highest
		}
	}
	b.eventually("the pool's bounds", bounds(1, 10))
	change(b, pool, func(p *v1alpha1.AggregatorPool) { p.Spec.Paused = true })
	b.eventually("5 workers are held", bounds(5, 5))
	change(b, deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) })
	b.eventually("scaling by hand works", bounds(7, 7))
	change(b, deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(0)) })
	b.eventually("an autoscaler cannot hold none", bounds(1, 1))
	change(b, pool, func(p *v1alpha1.AggregatorPool) { p.Spec.Paused = false })
	b.eventually("the pool's bounds again", bounds(1, 10))
}

func TestMissingDeployment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Create(t, b.pool("aggregator"))
	b.untilReady("aggregator", v1alpha1.ReasonDeploymentMissing)
	b.event("aggregator", v1alpha1.ReasonDeploymentMissing)
	if b.hpa("aggregator") != nil {
		t.Error("there is an autoscaler of nothing")
	}
	b.Create(t, b.deployment(1))
	b.eventually("an autoscaler", func() bool { return b.hpa("aggregator") != nil })
}

func TestConflictingAutoscaler(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.foreign("keda-hpa-aggregator")
	other.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "aggregator", UID: "1", Controller: new(true),
	}}
	b.Create(t, b.deployment(1), other, b.pool("aggregator"))
	pool := b.untilReady("aggregator", v1alpha1.ReasonConflictingAutoscaler)
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "ScaledObject aggregator") {
		t.Errorf("the message does not say who it is: %s", c.Message)
	}
	if b.hpa("aggregator") != nil {
		t.Error("there is a second autoscaler")
	}
	b.event("aggregator", v1alpha1.ReasonConflictingAutoscaler)

	// The pool scales when the other autoscaler is deleted, and withdraws when it is created again.
	if err := b.Client.Delete(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	b.eventually("an autoscaler", func() bool { return b.hpa("aggregator") != nil })
	b.Create(t, b.foreign("by-hand"))
	b.eventually("no autoscaler", func() bool { return b.hpa("aggregator") == nil })
	b.event("aggregator", "AutoscalerDeleted")
}

func TestForeignAutoscalerIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Create(t, b.deployment(1), b.foreign("aggregator"), b.pool("aggregator"))
	b.untilReady("aggregator", v1alpha1.ReasonConflictingAutoscaler)
	if hpa := b.hpa("aggregator"); hpa == nil || hpa.Spec.MaxReplicas != 3 || len(hpa.OwnerReferences) > 0 {
		t.Errorf("somebody else's autoscaler has become %+v", hpa)
	}
}

func TestOlderPoolScales(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.pool("a-first")
	b.Create(t, b.deployment(1), first, b.pool("b-second")) // created in the same second, so names break the tie
	b.untilReady("b-second", v1alpha1.ReasonConflictingAutoscaler)
	b.eventually("the first one's autoscaler", func() bool { return b.hpa("a-first") != nil })
	b.eventually("no autoscaler of the second", func() bool { return b.hpa("b-second") == nil })
	if err := b.Client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	// The test plays the garbage collector, which does not run here.
	if err := b.Client.Delete(t.Context(), b.hpa("a-first")); err != nil {
		t.Fatal(err)
	}
	b.eventually("the second one's autoscaler", func() bool { return b.hpa("b-second") != nil })
}

func TestRejectedBehavior(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pool := b.pool("aggregator")
	pool.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleUp: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(1_000_000))},
	}
	b.Create(t, b.deployment(1), pool)
	b.untilReady("aggregator", v1alpha1.ReasonAutoscalerRejected)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Create(t, b.deployment(1), b.pool("aggregator"))
	pool := b.untilReady("aggregator", v1alpha1.ReasonAPIServiceNotOwned)
	if s := pool.Status; s.Backlog == nil || *s.Backlog != 40 || *s.OldestPendingSeconds != 60 || s.ObservedGeneration != pool.Generation {
		t.Errorf("the status is %+v", s)
	}
	b.event("aggregator", v1alpha1.ReasonMissing)
	b.event("aggregator", v1alpha1.ReasonAPIServiceNotOwned)
}

func TestCRDValidation(t *testing.T) {
	t.Parallel()
	cluster := clustertest.Get(t)
	b := &bench{Cluster: cluster, t: t, namespace: cluster.Namespace(t)}
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.AggregatorPool)
		want   string // expected in the error; empty if there is none
	}{
		{"well", func(*v1alpha1.AggregatorPool) {}, ""},
		{"without a minimum", func(p *v1alpha1.AggregatorPool) { p.Spec.MinReplicas = 0 }, ""}, // the default is 1
		{"more than the maximum", func(p *v1alpha1.AggregatorPool) { p.Spec.MinReplicas = 11 }, "maxReplicas must be at least minReplicas"},
		{"a negative minimum", func(p *v1alpha1.AggregatorPool) { p.Spec.MinReplicas = -1 }, "spec.minReplicas"},
		{"no target", func(p *v1alpha1.AggregatorPool) { p.Spec.TargetBacklogPerReplica = 0 }, "spec.targetBacklogPerReplica"},
		{"no queue", func(p *v1alpha1.AggregatorPool) { p.Spec.Queues = []string{} }, "spec.queues"},
		{"nine queues", func(p *v1alpha1.AggregatorPool) {
			p.Spec.Queues = strings.Split("a b c d e f g h i", " ")
		}, "spec.queues"},
		{"a queue twice", func(p *v1alpha1.AggregatorPool) { p.Spec.Queues = []string{"a", "a"} }, "Duplicate value"},
		{"a queue that no label can name", func(p *v1alpha1.AggregatorPool) { p.Spec.Queues = []string{"a b"} }, "spec.queues[0]"},
		{"no deployment", func(p *v1alpha1.AggregatorPool) { p.Spec.DeploymentName = "" }, "spec.deploymentName"},
		{"a name that is none", func(p *v1alpha1.AggregatorPool) { p.Spec.DeploymentName = "Aggregator" }, "spec.deploymentName"},
		{"a name too long for a label", func(p *v1alpha1.AggregatorPool) { p.Name = strings.Repeat("a", 64) }, "at most 63 characters"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := b.pool(strings.ReplaceAll(strings.ToLower(test.name), " ", "-"))
			test.change(pool)
			err := cluster.Client.Create(t.Context(), pool)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the error is %v, want one about %s", err, test.want)
			}
			if test.want == "" && pool.Spec.MinReplicas != 1 {
				t.Errorf("minReplicas is %d, want 1", pool.Spec.MinReplicas)
			}
		})
	}
}
