package v1alpha1

// Types of conditions.
const (
	// ConditionReady is True while the pool's HorizontalPodAutoscaler exists and follows the backlog. Otherwise its reason
	// is the first thing in the way.
	ConditionReady = "Ready"
	// ConditionMetricsAvailable is True while the backlog of every queue of the pool has been read lately. It is False when
	// it cannot be read, and the number of workers is then left as it is.
	ConditionMetricsAvailable = "MetricsAvailable"
	// ConditionAPIServiceOwned is True while the cluster sends requests for external metrics to this operator.
	ConditionAPIServiceOwned = "APIServiceOwned"
	// ConditionScalingLimited is True while the backlog asks for more workers than the pool may have, or the pool is paused.
	ConditionScalingLimited = "ScalingLimited"
)

// Reasons of ConditionReady.
const (
	ReasonScaling               = "Scaling"               // True: the autoscaler follows the backlog
	ReasonPaused                = "Paused"                // True: spec.paused; also the reason of ScalingLimited
	ReasonDeploymentMissing     = "DeploymentMissing"     // there is no Deployment of that name
	ReasonConflictingAutoscaler = "ConflictingAutoscaler" // another autoscaler or pool scales the Deployment
	ReasonAutoscalerRejected    = "AutoscalerRejected"    // the API server takes the HorizontalPodAutoscaler not as it is
	ReasonAutoscalerInactive    = "AutoscalerInactive"    // the HorizontalPodAutoscaler says that it does not scale
	ReasonAutoscalerPending     = "AutoscalerPending"     // Unknown: the HorizontalPodAutoscaler was not looked at yet
	ReasonMetricsUnavailable    = "MetricsUnavailable"    // see MetricsAvailable
	ReasonAPIServiceNotOwned    = "APIServiceNotOwned"    // see APIServiceOwned
)

// Reasons of ConditionMetricsAvailable.
const (
	ReasonPolled      = "Polled"      // True
	ReasonQueuePaused = "QueuePaused" // True, but nobody works off at least one queue, because it is paused in Asynq
	ReasonNotPolled   = "NotPolled"   // Unknown: a queue was not read yet
	ReasonStale       = "Stale"       // False: the last reading is too old to act on
)

// Reasons of ConditionAPIServiceOwned.
const (
	ReasonOwned       = "Owned"       // True
	ReasonUnavailable = "Unavailable" // True, but the cluster cannot reach it
	ReasonForeign     = "Foreign"     // False: the APIService names another Service
	ReasonMissing     = "Missing"     // False: there is no APIService
)

// Reasons of ConditionScalingLimited, beside ReasonPaused.
const (
	ReasonAtMaximum    = "AtMaximum"    // True: the backlog asks for more
	ReasonWithinBounds = "WithinBounds" // False
)
