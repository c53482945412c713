// Package v1alpha1 is the API of the operator: the AggregatorPool, which ties a Deployment of workers to the Asynq queues
// that they work off, so that its size follows the backlog.
//
// The comments here become the descriptions in the CRD (kubectl explain aggregatorpool.spec), and the markers its rules.
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

// AddToScheme makes the types of this package known to scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &AggregatorPool{}, &AggregatorPoolList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
