package pool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/externalmetrics"
)

// FieldOwner is the field manager of the operator's server-side apply.
const FieldOwner = "hp-analytics-operator"

const poolKind = "AggregatorPool"

// scale applies the autoscaler that the pool needs, and records the result in seen.
func (r *Reconciler) scale(ctx context.Context, pool *v1alpha1.AggregatorPool, seen *observation) error {
	switch {
	case seen.otherScaler != "":
		return r.withdraw(ctx, pool, seen)
	case seen.deployment == nil:
		return nil // an existing autoscaler is harmless, and a new one would be useless
	}
	wanted, err := autoscaler(pool, seen)
	if err != nil {
		return err
	}
	desired, err := json.Marshal(wanted) // before Apply, which overwrites its argument with the response
	if err != nil {
		return fmt.Errorf("encode the autoscaler: %w", err)
	}
	key := client.ObjectKeyFromObject(pool)
	if r.applied.holds(key, desired, seen.hpa) {
		return nil
	}
	err = r.Client.Apply(ctx, wanted, client.FieldOwner(FieldOwner), client.ForceOwnership)
	switch {
	case apierrors.IsInvalid(err):
		seen.rejected = err.Error()
		return nil
	case err != nil:
		return fmt.Errorf("apply the autoscaler: %w", err)
	}
	if seen.hpa == nil {
		r.Events.Eventf(pool, nil, corev1.EventTypeNormal, "AutoscalerCreated", "Create",
			"Deployment %s is now scaled by its backlog", pool.Spec.DeploymentName)
	}
	r.Logger.InfoContext(ctx, "autoscaler applied", "namespace", pool.Namespace, "pool", pool.Name)
	return r.applied.note(key, desired, wanted)
}

// withdraw deletes the pool's autoscaler, so that the other one is the only one. It is created again when the other one is gone.
func (r *Reconciler) withdraw(ctx context.Context, pool *v1alpha1.AggregatorPool, seen *observation) error {
	if seen.hpa == nil || !metav1.IsControlledBy(seen.hpa, pool) {
		return nil
	}
	precondition := client.Preconditions{UID: &seen.hpa.UID, ResourceVersion: &seen.hpa.ResourceVersion}
	if err := r.Client.Delete(ctx, seen.hpa, precondition); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete the autoscaler: %w", err)
	}
	r.Events.Eventf(pool, nil, corev1.EventTypeWarning, "AutoscalerDeleted", "Delete",
		"Deployment %s is also scaled by %s; of two autoscalers Kubernetes follows none", pool.Spec.DeploymentName, seen.otherScaler)
	seen.hpa = nil
	return nil
}

// autoscaler returns the apply configuration.
func autoscaler(pool *v1alpha1.AggregatorPool, seen *observation) (*autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration, error) {
	lowest, highest := pool.Spec.MinReplicas, pool.Spec.MaxReplicas
	if pool.Spec.Paused {
		lowest = held(seen)
		highest = lowest
	}
	behavior, err := behaviorOf(pool)
	if err != nil {
		return nil, err
	}
	spec := autoscalingv2ac.HorizontalPodAutoscalerSpec().
		WithScaleTargetRef(autoscalingv2ac.CrossVersionObjectReference().
			WithAPIVersion("apps/v1").WithKind("Deployment").WithName(pool.Spec.DeploymentName)).
		WithMinReplicas(lowest).
		WithMaxReplicas(highest).
		// AverageValue divides the sum by the target. Value would multiply by the number of ready workers with every sync, and
		// grow to the maximum while a backlog stands.
		WithMetrics(autoscalingv2ac.MetricSpec().
			WithType(autoscalingv2.ExternalMetricSourceType).
			WithExternal(autoscalingv2ac.ExternalMetricSource().
				WithMetric(autoscalingv2ac.MetricIdentifier().
					WithName(externalmetrics.MetricName).
					WithSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{externalmetrics.LabelPool: pool.Name}))).
				WithTarget(autoscalingv2ac.MetricTarget().
					WithType(autoscalingv2.AverageValueMetricType).
					WithAverageValue(*resource.NewQuantity(int64(pool.Spec.TargetBacklogPerReplica), resource.DecimalSI)))))
	spec.Behavior = behavior
	return autoscalingv2ac.HorizontalPodAutoscaler(pool.Name, pool.Namespace).
		WithLabels(map[string]string{
			"app.kubernetes.io/managed-by": FieldOwner,
			"app.kubernetes.io/part-of":    "hp-analytics",
		}).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind(poolKind).
			WithName(pool.Name).WithUID(pool.UID).WithController(true)).
		WithSpec(spec), nil
}

// held returns the number of workers that a paused pool keeps: the current spec.replicas of the Deployment. An autoscaler's
// minimum cannot be zero, but it does not touch a Deployment with zero replicas.
func held(seen *observation) int32 {
	if seen.deployment.Spec.Replicas == nil {
		return 1
	}
	return max(1, *seen.deployment.Spec.Replicas)
}

// behaviorOf converts the pool's behavior to an apply configuration, with only the fields that are set.
func behaviorOf(pool *v1alpha1.AggregatorPool) (*autoscalingv2ac.HorizontalPodAutoscalerBehaviorApplyConfiguration, error) {
	if pool.Spec.Behavior == nil {
		return nil, nil
	}
	given, err := json.Marshal(pool.Spec.Behavior)
	if err != nil {
		return nil, fmt.Errorf("encode the behavior: %w", err)
	}
	converted := &autoscalingv2ac.HorizontalPodAutoscalerBehaviorApplyConfiguration{}
	if err := json.Unmarshal(given, converted); err != nil {
		return nil, fmt.Errorf("decode the behavior: %w", err)
	}
	return converted, nil
}

// applied records what was applied and the resulting object with the API server's defaults. Nothing is applied again while
// both are unchanged; a change by anybody else is reverted.
type applied struct {
	mu   sync.Mutex
	last map[types.NamespacedName]application
}

type application struct {
	desired []byte
	result  autoscalingv2.HorizontalPodAutoscaler
}

func (a *applied) holds(key types.NamespacedName, desired []byte, hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	a.mu.Lock()
	last, known := a.last[key]
	a.mu.Unlock()
	return known && hpa != nil &&
		bytes.Equal(last.desired, desired) &&
		last.result.UID == hpa.UID &&
		equality.Semantic.DeepEqual(last.result.Spec, hpa.Spec) &&
		equality.Semantic.DeepEqual(last.result.OwnerReferences, hpa.OwnerReferences)
}

func (a *applied) note(key types.NamespacedName, desired []byte, answer *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration) error {
	content, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the autoscaler: %w", err)
	}
	note := application{desired: desired}
	if err := json.Unmarshal(content, &note.result); err != nil {
		return fmt.Errorf("decode the autoscaler: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[types.NamespacedName]application{}
	}
	a.last[key] = note
	return nil
}

func (a *applied) forget(key types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.last, key)
}
