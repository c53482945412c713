package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/registration"
)

// assess derives the pool's status from an observation.
func assess(pool *v1alpha1.AggregatorPool, seen *observation) v1alpha1.AggregatorPoolStatus {
	status := *pool.Status.DeepCopy()
	status.ObservedGeneration = pool.Generation
	if seen.work.err == nil { // otherwise the last numbers stay, and lastPolledTime shows their age
		status.Backlog = &seen.work.backlog
		status.OldestPendingSeconds = new(int64(seen.work.oldest.Seconds()))
		status.LastPolledTime = new(metav1.NewTime(seen.work.polled.Truncate(time.Second))) // the precision of the API
	}
	status.Replicas, status.ReadyReplicas, status.DesiredReplicas = nil, nil, nil
	if seen.deployment != nil {
		status.Replicas, status.ReadyReplicas = &seen.deployment.Status.Replicas, &seen.deployment.Status.ReadyReplicas
	}
	if seen.hpa != nil {
		status.DesiredReplicas = &seen.hpa.Status.DesiredReplicas
	}
	metrics, api := metricsAvailable(seen), apiServiceOwned(seen)
	for _, condition := range []metav1.Condition{metrics, api, scalingLimited(pool, seen), ready(pool, seen, metrics, api)} {
		condition.ObservedGeneration = pool.Generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	return status
}

func metricsAvailable(seen *observation) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionMetricsAvailable}
	switch {
	case errors.Is(seen.work.err, backlog.ErrStale):
		// The message contains no age, so that it does not change with every run.
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonStale,
			"the queues have not been read for too long; the number of workers stays as it is until Redis answers")
	case seen.work.err != nil:
		return with(c, metav1.ConditionUnknown, v1alpha1.ReasonNotPolled, "the queues are not read yet")
	case len(seen.work.paused) > 0:
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonQueuePaused,
			"paused in Asynq, so they are not processed: "+strings.Join(slices.Sorted(slices.Values(seen.work.paused)), ", "))
	default:
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonPolled, "the queues are read")
	}
}

func apiServiceOwned(seen *observation) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionAPIServiceOwned}
	switch {
	case seen.api == nil:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonMissing, "there is no APIService "+registration.Name)
	case !registration.Owned(seen.api, seen.service):
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonForeign,
			fmt.Sprintf("APIService %s sends requests to %s and not to %s", registration.Name, backend(seen.api), seen.service))
	}
	for _, condition := range seen.api.Status.Conditions {
		if condition.Type == apiregistrationv1.Available && condition.Status == apiregistrationv1.ConditionFalse {
			return with(c, metav1.ConditionTrue, v1alpha1.ReasonUnavailable,
				"the cluster cannot reach the metrics: "+condition.Reason)
		}
	}
	return with(c, metav1.ConditionTrue, v1alpha1.ReasonOwned, "external metrics come from this operator")
}

func backend(api *apiregistrationv1.APIService) string {
	if api.Spec.Service == nil {
		return "the API server itself"
	}
	return api.Spec.Service.Namespace + "/" + api.Spec.Service.Name
}

func scalingLimited(pool *v1alpha1.AggregatorPool, seen *observation) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionScalingLimited}
	limited := hpaCondition(seen.hpa, autoscalingv2.ScalingLimited)
	switch {
	case pool.Spec.Paused:
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonPaused, "spec.paused holds the number of workers")
	case limited.Status == corev1.ConditionTrue && limited.Reason == "TooManyReplicas":
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonAtMaximum,
			fmt.Sprintf("the backlog asks for more than maxReplicas = %d workers", pool.Spec.MaxReplicas))
	default:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "the backlog asks for no more workers than allowed")
	}
}

// ready is False with the first obstacle as its reason. The order is the one in which they should be fixed.
func ready(pool *v1alpha1.AggregatorPool, seen *observation, metrics, api metav1.Condition) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady}
	active := hpaCondition(seen.hpa, autoscalingv2.ScalingActive)
	able := hpaCondition(seen.hpa, autoscalingv2.AbleToScale)
	switch {
	case seen.otherScaler != "":
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonConflictingAutoscaler,
			fmt.Sprintf("Deployment %s is scaled by %s; of two autoscalers Kubernetes follows none, so this pool makes none",
				pool.Spec.DeploymentName, seen.otherScaler))
	case seen.deployment == nil:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("there is no Deployment %s in namespace %s", pool.Spec.DeploymentName, pool.Namespace))
	case seen.rejected != "":
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonAutoscalerRejected, seen.rejected)
	case api.Status == metav1.ConditionFalse:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonAPIServiceNotOwned, api.Message)
	case metrics.Status != metav1.ConditionTrue:
		return with(c, metrics.Status, v1alpha1.ReasonMetricsUnavailable, metrics.Message)
	case able.Status == corev1.ConditionFalse:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonAutoscalerInactive, able.Reason+": "+able.Message)
	case active.Status == corev1.ConditionFalse:
		return with(c, metav1.ConditionFalse, v1alpha1.ReasonAutoscalerInactive, active.Reason+": "+active.Message)
	case active.Status == "":
		return with(c, metav1.ConditionUnknown, v1alpha1.ReasonAutoscalerPending, "Kubernetes has not processed the autoscaler yet")
	case pool.Spec.Paused:
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonPaused, "spec.paused holds the number of workers")
	default:
		return with(c, metav1.ConditionTrue, v1alpha1.ReasonScaling, "the number of workers follows the backlog")
	}
}

func hpaCondition(hpa *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType,
) autoscalingv2.HorizontalPodAutoscalerCondition {
	if hpa != nil {
		for _, condition := range hpa.Status.Conditions {
			if condition.Type == kind {
				return condition
			}
		}
	}
	return autoscalingv2.HorizontalPodAutoscalerCondition{}
}

func with(c metav1.Condition, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	c.Status, c.Reason, c.Message = status, reason, message
	return c
}
