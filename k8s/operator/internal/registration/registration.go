// Package registration maintains the APIService through which the cluster finds the external metrics API. A cluster has only
// one, and KEDA and the adapters of Prometheus and clouds use it too. The operator never takes it over.
package registration

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/certs"
)

// Name is the name of the APIService.
const Name = "v1beta1.external.metrics.k8s.io"

// Owned reports whether the APIService sends requests to service.
func Owned(api *apiregistrationv1.APIService, service types.NamespacedName) bool {
	ref := api.Spec.Service
	return ref != nil && ref.Namespace == service.Namespace && ref.Name == service.Name
}

// Reconciler writes the CA bundle into the APIService, so that the cluster trusts the certificate. It runs on the leader, and
// writes only while the APIService names the operator's own Service.
type Reconciler struct {
	Client client.Client
	// Service is the operator's own Service.
	Service types.NamespacedName
	Keeper  *certs.Keeper
	Logger  *slog.Logger
}

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	rotated := make(chan event.GenericEvent)
	if err := mgr.Add(relay{r.Keeper.Changed(), rotated}); err != nil {
		return fmt.Errorf("watch the certificate: %w", err)
	}
	err := ctrl.NewControllerManagedBy(mgr).
		Named("apiservice").
		For(&apiregistrationv1.APIService{}).
		WatchesRawSource(source.Channel(rotated, &handler.EnqueueRequestForObject{})).
		Complete(r)
	if err != nil {
		return fmt.Errorf("create the controller of the APIService: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	bundle := r.Keeper.Bundle()
	if len(bundle) == 0 {
		return ctrl.Result{}, nil // the relay triggers another run when there is a bundle
	}
	var api apiregistrationv1.APIService
	if err := r.Client.Get(ctx, req.NamespacedName, &api); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !Owned(&api, r.Service) || bytes.Equal(api.Spec.CABundle, bundle) {
		return ctrl.Result{}, nil
	}
	// With the optimistic lock, the patch fails if the APIService got another owner since it was read.
	before := client.MergeFromWithOptions(api.DeepCopy(), client.MergeFromWithOptimisticLock{})
	api.Spec.CABundle, api.Spec.InsecureSkipTLSVerify = bundle, false
	err := r.Client.Patch(ctx, &api, before)
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{}, nil // the conflicting change triggers another run
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("write the CA bundle: %w", err)
	}
	r.Logger.InfoContext(ctx, "CA bundle written to the APIService", "apiservice", req.Name)
	return ctrl.Result{}, nil
}

// relay turns changes of the CA bundle into events of the APIService. It runs on the leader, like the controller.
type relay struct {
	from <-chan struct{}
	to   chan<- event.GenericEvent
}

// Start implements manager.Runnable.
func (r relay) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.from:
		}
		api := &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: Name}}
		select {
		case <-ctx.Done():
			return nil
		case r.to <- event.GenericEvent{Object: api}:
		}
	}
}
