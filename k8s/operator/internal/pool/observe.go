package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/registration"
)

// observation contains everything that determines a pool's status. It is read from the cache.
type observation struct {
	deployment  *appsv1.Deployment                     // nil if there is none
	hpa         *autoscalingv2.HorizontalPodAutoscaler // of the pool's name; nil if there is none
	otherScaler string                                 // description of another scaler of the Deployment; empty if there is none
	rejected    string                                 // the API server's error for the autoscaler; empty if it was accepted
	api         *apiregistrationv1.APIService          // nil if there is none
	service     types.NamespacedName                   // that must own api
	work        work
}

// work is the sum over the pool's queues.
type work struct {
	backlog int64
	oldest  time.Duration
	polled  time.Time // of the oldest reading
	paused  []string  // queues that are paused in Asynq
	err     error     // why the numbers above must not be used
}

func (r *Reconciler) observe(ctx context.Context, pool *v1alpha1.AggregatorPool) (*observation, error) {
	seen := &observation{work: r.work(pool), service: r.Service}
	var err error
	seen.deployment, err = get(ctx, r.Client, pool.Namespace, pool.Spec.DeploymentName, &appsv1.Deployment{})
	if err != nil {
		return nil, err
	}
	seen.hpa, err = get(ctx, r.Client, pool.Namespace, pool.Name, &autoscalingv2.HorizontalPodAutoscaler{})
	if err != nil {
		return nil, err
	}
	seen.api, err = get(ctx, r.Client, "", registration.Name, &apiregistrationv1.APIService{})
	if err != nil {
		return nil, err
	}
	seen.otherScaler, err = r.otherScaler(ctx, pool)
	return seen, err
}

// get returns an object, or nil if it does not exist.
func get[T client.Object](ctx context.Context, c client.Client, namespace, name string, into T) (none T, err error) {
	err = c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("read %T %s: %w", into, name, err)
	}
	return into, nil
}

// work adds up the readings of the pool's queues. A missing reading makes the sum unusable.
func (r *Reconciler) work(pool *v1alpha1.AggregatorPool) work {
	var sum work
	var problems []error
	for _, queue := range pool.Spec.Queues {
		reading, err := r.Backlog.Get(queue)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		sum.backlog += reading.Backlog
		sum.oldest = max(sum.oldest, reading.OldestPending)
		if sum.polled.IsZero() || reading.Time.Before(sum.polled) {
			sum.polled = reading.Time
		}
		if reading.Paused {
			sum.paused = append(sum.paused, queue)
		}
	}
	sum.err = errors.Join(problems...)
	return sum
}

// otherScaler describes what else scales the pool's Deployment. If several autoscalers target one Deployment, Kubernetes ignores
// all of them. Of several pools the oldest scales, and the others withdraw.
func (r *Reconciler) otherScaler(ctx context.Context, pool *v1alpha1.AggregatorPool) (string, error) {
	var pools v1alpha1.AggregatorPoolList
	if err := r.Client.List(ctx, &pools, client.InNamespace(pool.Namespace)); err != nil {
		return "", fmt.Errorf("list the pools: %w", err)
	}
	poolsOfDeployment := map[string]bool{}
	for i := range pools.Items {
		other := &pools.Items[i]
		if other.Spec.DeploymentName != pool.Spec.DeploymentName {
			continue
		}
		poolsOfDeployment[other.Name] = true
		if older(other, pool) {
			return "AggregatorPool " + other.Name, nil
		}
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := r.Client.List(ctx, &hpas, client.InNamespace(pool.Namespace)); err != nil {
		return "", fmt.Errorf("list the autoscalers: %w", err)
	}
	for i := range hpas.Items {
		hpa := &hpas.Items[i]
		owner := metav1.GetControllerOf(hpa)
		ofPool := owner != nil && owner.Kind == poolKind
		own := ofPool && owner.Name == pool.Name // possibly of an earlier pool with this name
		switch {
		case hpa.Name == pool.Name && !own:
			return describeOwner(hpa, owner), nil // it has our name but another owner
		case hpa.Name == pool.Name || !targets(hpa, pool.Spec.DeploymentName):
		case ofPool && poolsOfDeployment[owner.Name]: // belongs to a younger pool, which will withdraw it
		default:
			return describeOwner(hpa, owner), nil
		}
	}
	return "", nil
}

// describeOwner names the owner of an autoscaler, if it is known, because that is what a person has to change.
func describeOwner(hpa *autoscalingv2.HorizontalPodAutoscaler, owner *metav1.OwnerReference) string {
	if owner != nil {
		return owner.Kind + " " + owner.Name + " (by HorizontalPodAutoscaler " + hpa.Name + ")"
	}
	return "HorizontalPodAutoscaler " + hpa.Name
}

func targets(hpa *autoscalingv2.HorizontalPodAutoscaler, deployment string) bool {
	ref := hpa.Spec.ScaleTargetRef
	return ref.Kind == "Deployment" && ref.Name == deployment
}

// older reports whether a was created before b. Creation times have a resolution of seconds, so names break ties.
func older(a, b *v1alpha1.AggregatorPool) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
