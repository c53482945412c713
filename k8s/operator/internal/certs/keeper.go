// Package certs provides the TLS certificate of the external metrics API. It creates and rotates one in a Secret, or reads one
// that is mounted, and provides the CA bundle with which the cluster verifies it.
package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// reload is the interval between loads. It limits the time until a replica serves a certificate that another one renewed.
	reload = time.Minute
	// retry is the interval after a failed load.
	retry = 5 * time.Second
)

// Keeper reloads the certificate periodically, on every replica.
type Keeper struct {
	source  Source
	logger  *slog.Logger
	loaded  chan struct{}
	changed chan struct{}
	expiry  atomic.Int64 // Unix seconds

	mu     sync.Mutex
	bundle []byte
	err    error
}

// NewKeeper returns a keeper of source's certificate. Start runs it.
func NewKeeper(source Source, logger *slog.Logger, registerer prometheus.Registerer) *Keeper {
	k := &Keeper{
		source: source, logger: logger,
		loaded: make(chan struct{}), changed: make(chan struct{}, 1),
		err: errors.New("no certificate is loaded yet"),
	}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of the external metrics API expires, in Unix time; 0 before one is loaded.",
	}, func() float64 { return float64(k.expiry.Load()) }))
	return k
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *Keeper) NeedLeaderElection() bool { return false }

// Loaded is closed when the first certificate is loaded.
func (k *Keeper) Loaded() <-chan struct{} { return k.loaded }

// Changed receives a value when the CA bundle has changed. It supports one receiver.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Bundle returns the CA bundle: every authority that may have signed a replica's certificate. It is nil until known.
func (k *Keeper) Bundle() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bundle
}

// Ready is a readiness check. It fails until a certificate is loaded, and when the loaded one has expired.
func (k *Keeper) Ready(context.Context) error {
	expiry := k.expiry.Load()
	if expiry == 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.err
	}
	if ended := time.Unix(expiry, 0); time.Now().After(ended) {
		return fmt.Errorf("the certificate expired at %s", ended)
	}
	return nil
}

// Start reloads the certificate until ctx ends. It implements manager.Runnable.
func (k *Keeper) Start(ctx context.Context) error {
	for {
		wait := reload
		if err := k.load(ctx); err != nil {
			wait = retry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (k *Keeper) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reload)
	defer cancel()
	material, err := k.source.Load(ctx)
	var expiry time.Time
	if err == nil {
		expiry, err = material.expiry()
	}
	first, changed, failing := k.note(material, expiry, err)
	if failing && ctx.Err() == nil {
		k.logger.WarnContext(ctx, "loading the certificate failed", "err", err)
	}
	if err != nil {
		return err
	}
	if first {
		close(k.loaded)
	}
	if changed {
		k.logger.InfoContext(ctx, "certificate authorities changed", "certificate_expires", expiry)
		select {
		case k.changed <- struct{}{}:
		default: // a notification is already pending
		}
	}
	return nil
}

// note records the result of a load and reports what changed.
func (k *Keeper) note(material Material, expiry time.Time, err error) (first, changed, failing bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	failing = err != nil && (k.err == nil || k.expiry.Load() == 0 && k.err.Error() != err.Error())
	k.err = err
	if err != nil {
		return false, false, failing
	}
	first = k.expiry.Swap(expiry.Unix()) == 0
	changed = !bytes.Equal(k.bundle, material.CA)
	k.bundle = material.CA
	return first, changed, false
}
