package pool

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
)

const (
	// numbersEvery is the write interval of a status when only the backlog changes, as it always does under load.
	numbersEvery = 15 * time.Second
	// timeEvery is the write interval when only the time of the last poll changes.
	timeEvery = time.Minute
)

// noteFormat truncates a message to the size limit of an event.
const noteFormat = "%.1000s"

// publish writes the status if it changed enough, and records events of its changes.
func (r *Reconciler) publish(ctx context.Context, pool *v1alpha1.AggregatorPool, status v1alpha1.AggregatorPoolStatus) error {
	key := client.ObjectKeyFromObject(pool)
	if wait := writeAfter(pool.Status, status); wait < 0 || r.written.ago(key) < wait {
		return nil
	}
	before := pool.DeepCopy()
	pool.Status = status
	err := r.Client.Status().Patch(ctx, pool, client.MergeFrom(before))
	switch {
	case apierrors.IsNotFound(err):
		return nil // the pool has been deleted since
	case err != nil:
		return fmt.Errorf("write the status: %w", err)
	}
	r.written.note(key)
	r.recordEvents(pool, before.Status.Conditions)
	return nil
}

// writeAfter returns the minimum time between the last write of the status and this one: zero for a change of state, negative if
// nothing changed.
func writeAfter(old, status v1alpha1.AggregatorPoolStatus) time.Duration {
	if equality.Semantic.DeepEqual(old, status) {
		return -1
	}
	status.LastPolledTime = old.LastPolledTime
	if equality.Semantic.DeepEqual(old, status) {
		return timeEvery
	}
	status.Backlog, status.OldestPendingSeconds = old.Backlog, old.OldestPendingSeconds
	if equality.Semantic.DeepEqual(old, status) {
		return numbersEvery
	}
	return 0
}

// recordEvents records an event for each relevant change of a condition: for Ready in both directions, for the others if they got worse.
func (r *Reconciler) recordEvents(pool *v1alpha1.AggregatorPool, before []metav1.Condition) {
	bad := map[string]metav1.ConditionStatus{
		v1alpha1.ConditionMetricsAvailable: metav1.ConditionFalse,
		v1alpha1.ConditionAPIServiceOwned:  metav1.ConditionFalse,
		v1alpha1.ConditionScalingLimited:   metav1.ConditionTrue,
	}
	for _, now := range pool.Status.Conditions {
		old := meta.FindStatusCondition(before, now.Type)
		if old != nil && old.Status == now.Status && old.Reason == now.Reason {
			continue
		}
		switch {
		case now.Type == v1alpha1.ConditionReady && now.Status == metav1.ConditionTrue:
			r.Events.Eventf(pool, nil, corev1.EventTypeNormal, now.Reason, "Assess", noteFormat, now.Message)
		case now.Type == v1alpha1.ConditionReady && now.Status == metav1.ConditionFalse, bad[now.Type] == now.Status:
			r.Events.Eventf(pool, nil, corev1.EventTypeWarning, now.Reason, "Assess", noteFormat, now.Message)
		}
	}
}

// written records when each status was last written.
type written struct {
	mu   sync.Mutex
	last map[types.NamespacedName]time.Time
}

// ago returns the time since the last write. It is very long if there was none.
func (w *written) ago(key types.NamespacedName) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last[key])
}

func (w *written) note(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[types.NamespacedName]time.Time{}
	}
	w.last[key] = time.Now()
}

func (w *written) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, key)
}
