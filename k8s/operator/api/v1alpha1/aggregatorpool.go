package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AggregatorPool scales a Deployment of workers by the backlog of the Asynq queues that they process.
//
// The operator manages one HorizontalPodAutoscaler of the same name and serves the metric that it uses. The operator never
// writes the Deployment: its owner keeps the pod template and leaves spec.replicas unset.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=aggregatorpools,shortName=apool
// +kubebuilder:printcolumn:name="Backlog",type=integer,JSONPath=`.status.backlog`,description="Tasks that are waiting or in progress"
// +kubebuilder:printcolumn:name="Oldest",type=integer,JSONPath=`.status.oldestPendingSeconds`,description="Seconds that the oldest waiting task has waited"
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.replicas`,description="Pods that the Deployment has"
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.status.desiredReplicas`,description="Pods that the backlog requires, within the limits"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the pool is being scaled by its backlog"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:printcolumn:name="Deployment",type=string,JSONPath=`.spec.deploymentName`,priority=1
// +kubebuilder:printcolumn:name="Min",type=integer,JSONPath=`.spec.minReplicas`,priority=1
// +kubebuilder:printcolumn:name="Max",type=integer,JSONPath=`.spec.maxReplicas`,priority=1
// +kubebuilder:printcolumn:name="Paused",type=boolean,JSONPath=`.spec.paused`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name becomes a label value of the metric and must have at most 63 characters"
type AggregatorPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines what is scaled, by which queues, and within which limits.
	// +required
	Spec AggregatorPoolSpec `json:"spec"`

	// status is what the operator last observed. It is for people and alerts; the operator does not read it.
	// +optional
	Status AggregatorPoolStatus `json:"status,omitempty"`
}

// AggregatorPoolSpec defines what is scaled, by which queues, and within which limits.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="maxReplicas must be at least minReplicas"
type AggregatorPoolSpec struct {
	// deploymentName is the Deployment of the workers, in the namespace of the pool. No other HorizontalPodAutoscaler,
	// KEDA ScaledObject or pool may scale it: Kubernetes would then ignore all of them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	DeploymentName string `json:"deploymentName"`

	// queues are the Asynq queues that the workers process. Their backlogs are added up. Names must be unique. A queue that was
	// never used counts as empty.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Queues []string `json:"queues"`

	// minReplicas is the number of workers without any backlog.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// maxReplicas is the maximum number of workers.
	// +required
	// +kubebuilder:validation:Minimum=1
	MaxReplicas int32 `json:"maxReplicas"`

	// targetBacklogPerReplica is the target number of tasks, waiting or in progress, per worker: the pool grows to the backlog
	// divided by it, rounded up. A good start is twice the number of tasks that one worker runs at once. A higher target means
	// fewer workers and longer waits.
	// +required
	// +kubebuilder:validation:Minimum=1
	TargetBacklogPerReplica int32 `json:"targetBacklogPerReplica"`

	// behavior limits how fast the pool grows and shrinks, as in a HorizontalPodAutoscaler. Kubernetes' defaults are to grow at
	// once, and to shrink after the backlog has been smaller for five minutes.
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`

	// paused keeps the current number of workers of the Deployment. While it is true, the Deployment can be scaled by hand.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// AggregatorPoolStatus is what the operator last observed. Numbers that it has not been able to read yet are absent, which is not
// the same as zero.
type AggregatorPoolStatus struct {
	// backlog is the number of tasks of all queues that are pending, active or aggregating.
	// +optional
	Backlog *int64 `json:"backlog,omitempty"`

	// oldestPendingSeconds is how long the oldest pending task of all queues had waited at lastPolledTime.
	// +optional
	OldestPendingSeconds *int64 `json:"oldestPendingSeconds,omitempty"`

	// lastPolledTime is the time of the oldest reading behind the numbers above. It is updated with every change, and otherwise
	// about once a minute.
	// +optional
	LastPolledTime *metav1.Time `json:"lastPolledTime,omitempty"`

	// replicas is the number of pods that the Deployment has.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// desiredReplicas is the number of pods that the HorizontalPodAutoscaler wants.
	// +optional
	DesiredReplicas *int32 `json:"desiredReplicas,omitempty"`

	// readyReplicas is the number of pods of the Deployment that are ready.
	// +optional
	ReadyReplicas *int32 `json:"readyReplicas,omitempty"`

	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions show whether the pool is scaled, and if not, why: Ready, MetricsAvailable, APIServiceOwned and
	// ScalingLimited.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AggregatorPoolList is a list of pools.
//
// +kubebuilder:object:root=true
type AggregatorPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AggregatorPool `json:"items"`
}
