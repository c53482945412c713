// Package pool is the controller of AggregatorPools. It manages one HorizontalPodAutoscaler per pool and writes the pool's status.
// It runs on the leader and writes nothing else; in particular, it never writes the Deployment.
package pool

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

// Reconciler reconciles AggregatorPools.
type Reconciler struct {
	Client  client.Client
	Backlog *backlog.Snapshot
	// Service is the operator's own Service. The operator owns the APIService if that names this Service.
	Service types.NamespacedName
	Events  events.EventRecorder
	Logger  *slog.Logger
	// Interval is how often each pool is reconciled without an event, because readings change without one.
	Interval time.Duration

	applied applied
	written written
}

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("aggregatorpool").
		For(&v1alpha1.AggregatorPool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AggregatorPool{}, handler.EnqueueRequestsFromMapFunc(r.siblings), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(r.scaledBy)).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(r.scaling)).
		Watches(&apiregistrationv1.APIService{}, handler.EnqueueRequestsFromMapFunc(r.everywhere)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("create the controller of pools: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var pool v1alpha1.AggregatorPool
	if err := r.Client.Get(ctx, req.NamespacedName, &pool); err != nil {
		if apierrors.IsNotFound(err) {
			r.applied.forget(req.NamespacedName)
			r.written.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, err
	}
	if !pool.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // the owner reference deletes its autoscaler
	}
	seen, err := r.observe(ctx, &pool)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.scale(ctx, &pool, seen); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.publish(ctx, &pool, assess(&pool, seen)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: r.Interval}, nil
}

// siblings returns the other pools of a pool's namespace, because a change of one may resolve or cause a conflict with another.
func (r *Reconciler) siblings(ctx context.Context, object client.Object) []reconcile.Request {
	changed, ok := object.(*v1alpha1.AggregatorPool)
	if !ok {
		return nil
	}
	return r.requests(ctx, changed.Namespace, func(pool *v1alpha1.AggregatorPool) bool {
		return pool.Name != changed.Name
	})
}

// scaledBy returns the pools that an autoscaler affects: its own pool, and those whose Deployment it scales.
func (r *Reconciler) scaledBy(ctx context.Context, object client.Object) []reconcile.Request {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	return r.requests(ctx, hpa.Namespace, func(pool *v1alpha1.AggregatorPool) bool {
		return pool.Name == hpa.Name || targets(hpa, pool.Spec.DeploymentName)
	})
}

// scaling returns the pools of a Deployment.
func (r *Reconciler) scaling(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, object.GetNamespace(), func(pool *v1alpha1.AggregatorPool) bool {
		return pool.Spec.DeploymentName == object.GetName()
	})
}

// everywhere returns all pools.
func (r *Reconciler) everywhere(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requests(ctx, "", func(*v1alpha1.AggregatorPool) bool { return true })
}

func (r *Reconciler) requests(ctx context.Context, namespace string, wanted func(*v1alpha1.AggregatorPool) bool) []reconcile.Request {
	var pools v1alpha1.AggregatorPoolList
	if err := r.Client.List(ctx, &pools, client.InNamespace(namespace)); err != nil {
		r.Logger.WarnContext(ctx, "listing the pools of an event failed", "err", err) // the next interval covers them
		return nil
	}
	var requests []reconcile.Request
	for i := range pools.Items {
		if wanted(&pools.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pools.Items[i])})
		}
	}
	return requests
}
