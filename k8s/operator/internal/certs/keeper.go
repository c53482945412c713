// Package certs keeps the TLS certificate of the external metrics API: it makes and rotates one in a Secret, or takes one
// that is mounted, and knows by which bundle of authorities the cluster can verify it.
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
	// reload is how often the source is asked again: what bounds the time until a replica serves what another one made.
	reload = time.Minute
	// retry is the same after a failure.
	retry = 5 * time.Second
)

// Keeper loads the certificate on every replica, again and again.
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

// NewKeeper returns a keeper of source's certificate; Start makes it work.
func NewKeeper(source Source, logger *slog.Logger, registerer prometheus.Registerer) *Keeper {
	k := &Keeper{
		source: source, logger: logger,
		loaded: make(chan struct{}), changed: make(chan struct{}, 1),
		err: errors.New("no certificate was loaded yet"),
	}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of the external metrics API ends, in Unix time; 0 before one is loaded.",
	}, func() float64 { return float64(k.expiry.Load()) }))
	return k
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *Keeper) NeedLeaderElection() bool { return false }

// Loaded is closed when the first certificate has been loaded.
func (k *Keeper) Loaded() <-chan struct{} { return k.loaded }

// Changed gets a value when the bundle has changed. It is for one receiver.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Bundle returns the certificates of all authorities that a replica's certificate may be signed by; nil for unknown.
func (k *Keeper) Bundle() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bundle
}

// Ready is a readiness check: it fails until a certificate is loaded, and when the one that is served has expired.
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

// Start loads until ctx ends. It implements manager.Runnable.
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
		k.logger.WarnContext(ctx, "loading the certificate fails", "err", err)
	}
	if err != nil {
		return err
	}
	if first {
		close(k.loaded)
	}
	if changed {
		k.logger.InfoContext(ctx, "certificate authorities have changed", "certificate_expires", expiry)
		select {
		case k.changed <- struct{}{}:
		default: // a value is waiting already
		}
	}
	return nil
}

// note records the outcome of a load and says what is new about it.
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
