package v1alpha1

// Types of conditions.
const (
	// ConditionReady is True while the pool's HorizontalPodAutoscaler exists and follows the backlog. Otherwise its reason
	// is the first obstacle.
	ConditionReady = "Ready"
	// ConditionMetricsAvailable is True while the backlog of every queue of the pool was read recently. It is False if it cannot
	// be read; the number of workers then does not change.
	ConditionMetricsAvailable = "MetricsAvailable"
	// ConditionAPIServiceOwned is True while the cluster sends requests for external metrics to this operator.
	ConditionAPIServiceOwned = "APIServiceOwned"
	// ConditionScalingLimited is True while the backlog requires more workers than maxReplicas, or the pool is paused.
	ConditionScalingLimited = "ScalingLimited"
)

// Reasons of ConditionReady.
const (
	ReasonScaling               = "Scaling"               // True: the autoscaler follows the backlog
	ReasonPaused                = "Paused"                // True: spec.paused; also the reason of ScalingLimited
	ReasonDeploymentMissing     = "DeploymentMissing"     // there is no Deployment of that name
	ReasonConflictingAutoscaler = "ConflictingAutoscaler" // another autoscaler or pool scales the Deployment
	ReasonAutoscalerRejected    = "AutoscalerRejected"    // the API server rejects the HorizontalPodAutoscaler
	ReasonAutoscalerInactive    = "AutoscalerInactive"    // the HorizontalPodAutoscaler reports that it cannot scale
	ReasonAutoscalerPending     = "AutoscalerPending"     // Unknown: the HorizontalPodAutoscaler has not been processed yet
	ReasonMetricsUnavailable    = "MetricsUnavailable"    // see MetricsAvailable
	ReasonAPIServiceNotOwned    = "APIServiceNotOwned"    // see APIServiceOwned
)

// Reasons of ConditionMetricsAvailable.
const (
	ReasonPolled      = "Polled"      // True
	ReasonQueuePaused = "QueuePaused" // True, but at least one queue is paused in Asynq and not processed
	ReasonNotPolled   = "NotPolled"   // Unknown: a queue has not been read yet
	ReasonStale       = "Stale"       // False: the last reading is too old
)

// Reasons of ConditionAPIServiceOwned.
const (
	ReasonOwned       = "Owned"       // True
	ReasonUnavailable = "Unavailable" // True, but the cluster cannot reach it
	ReasonForeign     = "Foreign"     // False: the APIService names another Service
	ReasonMissing     = "Missing"     // False: there is no APIService
)

// Reasons of ConditionScalingLimited, in addition to ReasonPaused.
const (
	ReasonAtMaximum    = "AtMaximum"    // True: the backlog requires more
	ReasonWithinBounds = "WithinBounds" // False
)
