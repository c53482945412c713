package pool

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

var service = types.NamespacedName{Namespace: "shop", Name: "operator"}

// healthy returns the observation of a healthy pool.
func healthy() *observation {
	return &observation{
		deployment: &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 3, ReadyReplicas: 2}},
		hpa: &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			DesiredReplicas: 4,
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
				{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue},
				{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue},
				{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "TooFewReplicas"},
			},
		}},
		api:     apiService(service.Namespace, service.Name),
		service: service,
		work:    work{backlog: 40, oldest: 90 * time.Second, polled: time.Unix(1000, 0)},
	}
}

func apiService(namespace, name string) *apiregistrationv1.APIService {
	return &apiregistrationv1.APIService{Spec: apiregistrationv1.APIServiceSpec{
		Service: &apiregistrationv1.ServiceReference{Namespace: namespace, Name: name},
	}}
}

func hpaState(seen *observation, kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason string) {
	for i := range seen.hpa.Status.Conditions {
		if c := &seen.hpa.Status.Conditions[i]; c.Type == kind {
			c.Status, c.Reason = status, reason
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const (
		ready   = v1alpha1.ConditionReady
		metrics = v1alpha1.ConditionMetricsAvailable
		owned   = v1alpha1.ConditionAPIServiceOwned
		limited = v1alpha1.ConditionScalingLimited
	)
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.AggregatorPool, *observation)
		want   map[string]string // status and reason by type; Ready is always checked
	}{
		{"well", func(*v1alpha1.AggregatorPool, *observation) {}, map[string]string{
			ready: "True Scaling", metrics: "True Polled", owned: "True Owned", limited: "False WithinBounds",
		}},
		{"paused", func(p *v1alpha1.AggregatorPool, _ *observation) { p.Spec.Paused = true }, map[string]string{
			ready: "True Paused", limited: "True Paused",
		}},
		{"no deployment", func(_ *v1alpha1.AggregatorPool, o *observation) { o.deployment = nil }, map[string]string{
			ready: "False DeploymentMissing",
		}},
		{"another autoscaler", func(_ *v1alpha1.AggregatorPool, o *observation) { o.otherScaler = "ScaledObject x" }, map[string]string{
			ready: "False ConflictingAutoscaler",
		}},
		{"rejected", func(_ *v1alpha1.AggregatorPool, o *observation) { o.rejected = "spec.behavior: invalid" }, map[string]string{
			ready: "False AutoscalerRejected",
		}},
		{"stale", func(_ *v1alpha1.AggregatorPool, o *observation) {
			o.work.err = fmt.Errorf("rollups: %w", backlog.ErrStale)
		}, map[string]string{
			ready: "False MetricsUnavailable", metrics: "False Stale",
		}},
		{"not polled", func(_ *v1alpha1.AggregatorPool, o *observation) {
			o.work.err = fmt.Errorf("rollups: %w", backlog.ErrNotPolled)
		}, map[string]string{
			ready: "Unknown MetricsUnavailable", metrics: "Unknown NotPolled",
		}},
		{"a paused queue", func(_ *v1alpha1.AggregatorPool, o *observation) { o.work.paused = []string{"rollups"} }, map[string]string{
			ready: "True Scaling", metrics: "True QueuePaused",
		}},
		{"no APIService", func(_ *v1alpha1.AggregatorPool, o *observation) { o.api = nil }, map[string]string{
			ready: "False APIServiceNotOwned", owned: "False Missing", metrics: "True Polled",
		}},
		{"KEDA's APIService", func(_ *v1alpha1.AggregatorPool, o *observation) {
			o.api = apiService("keda", "keda-operator-metrics-apiserver")
		}, map[string]string{ready: "False APIServiceNotOwned", owned: "False Foreign", metrics: "True Polled"}},
		{"the API server's own", func(_ *v1alpha1.AggregatorPool, o *observation) { o.api.Spec.Service = nil }, map[string]string{
			ready: "False APIServiceNotOwned", owned: "False Foreign",
		}},
		{"out of reach", func(_ *v1alpha1.AggregatorPool, o *observation) {
			o.api.Status.Conditions = []apiregistrationv1.APIServiceCondition{{
				Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionFalse, Reason: "FailedDiscoveryCheck",
			}}
		}, map[string]string{ready: "True Scaling", owned: "True Unavailable"}},
		{"at the maximum", func(_ *v1alpha1.AggregatorPool, o *observation) {
			hpaState(o, autoscalingv2.ScalingLimited, corev1.ConditionTrue, "TooManyReplicas")
		}, map[string]string{ready: "True Scaling", limited: "True AtMaximum"}},
		{"inactive", func(_ *v1alpha1.AggregatorPool, o *observation) {
			hpaState(o, autoscalingv2.ScalingActive, corev1.ConditionFalse, "FailedGetExternalMetric")
		}, map[string]string{ready: "False AutoscalerInactive"}},
		{"unable", func(_ *v1alpha1.AggregatorPool, o *observation) {
			hpaState(o, autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedGetScale")
		}, map[string]string{ready: "False AutoscalerInactive"}},
		{"new", func(_ *v1alpha1.AggregatorPool, o *observation) { o.hpa.Status.Conditions = nil }, map[string]string{
			ready: "Unknown AutoscalerPending",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pool := &v1alpha1.AggregatorPool{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
			seen := healthy()
			test.change(pool, seen)
			status := assess(pool, seen)
			if len(status.Conditions) != 4 {
				t.Errorf("%d conditions, want 4", len(status.Conditions))
			}
			for kind, want := range test.want {
				c := meta.FindStatusCondition(status.Conditions, kind)
				if got := string(c.Status) + " " + c.Reason; got != want {
					t.Errorf("%s is %q, want %q", kind, got, want)
				}
				if c.Message == "" || c.ObservedGeneration != 3 {
					t.Errorf("%s has message %q and generation %d", kind, c.Message, c.ObservedGeneration)
				}
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	pool := &v1alpha1.AggregatorPool{}
	unread := healthy()
	unread.work = work{err: backlog.ErrNotPolled}
	if status := assess(pool, unread); status.Backlog != nil || status.OldestPendingSeconds != nil || status.LastPolledTime != nil {
		t.Errorf("numbers before any reading: %+v", status)
	}
	pool.Status = assess(pool, healthy())
	if s := pool.Status; *s.Backlog != 40 || *s.OldestPendingSeconds != 90 || *s.Replicas != 3 || *s.ReadyReplicas != 2 || *s.DesiredReplicas != 4 {
		t.Errorf("numbers: %+v", s)
	}
	stale := healthy()
	stale.work = work{err: backlog.ErrStale}
	if s := assess(pool, stale); *s.Backlog != 40 || !s.LastPolledTime.Equal(pool.Status.LastPolledTime) {
		t.Errorf("numbers when Redis is gone: %+v, want the last ones", s)
	}
}

func TestStatusWriteInterval(t *testing.T) {
	t.Parallel()
	pool := &v1alpha1.AggregatorPool{}
	old := assess(pool, healthy())
	pool.Status = old
	later := func(change func(*observation)) v1alpha1.AggregatorPoolStatus {
		seen := healthy()
		change(seen)
		return assess(pool, seen)
	}
	for _, test := range []struct {
		name   string
		status v1alpha1.AggregatorPoolStatus
		want   time.Duration
	}{
		{"nothing new", later(func(*observation) {}), -1},
		{"polled again", later(func(o *observation) { o.work.polled = o.work.polled.Add(5 * time.Second) }), timeEvery},
		{"another backlog", later(func(o *observation) { o.work.backlog, o.work.oldest = 41, 0 }), numbersEvery},
		{"another number of workers", later(func(o *observation) { o.deployment.Status.Replicas++ }), 0},
		{"another condition", later(func(o *observation) { o.api = nil }), 0},
	} {
		if got := writeAfter(old, test.status); got != test.want {
			t.Errorf("%s: after %s, want %s", test.name, got, test.want)
		}
	}
}
