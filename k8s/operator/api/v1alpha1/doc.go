// Package v1alpha1 is the API of the operator: the AggregatorPool, which scales a Deployment of workers by the backlog of the
// Asynq queues that they process.
//
// controller-gen turns the comments into the descriptions of the CRD (kubectl explain aggregatorpool.spec), and the markers
// into its validation rules.
//
// +kubebuilder:object:generate=true
// +groupName=analytics.hp-analytics.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package.
var GroupVersion = schema.GroupVersion{Group: "analytics.hp-analytics.dev", Version: "v1alpha1"}

// AddToScheme registers the types of this package with scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &AggregatorPool{}, &AggregatorPoolList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
