package certs

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func readPEM(t *testing.T, encoded []byte) (certs []*x509.Certificate) {
	t.Helper()
	for block, rest := pem.Decode(encoded); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, cert)
	}
	return certs
}

// mount writes a certificate as a mounted one of cert-manager, and returns the CA bundle.
func mount(t *testing.T, dir string) []byte {
	t.Helper()
	made, _, err := chain{}.rotate(names, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := made.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{keyCert, keyKey, keyCA} {
		if err := os.WriteFile(filepath.Join(dir, name), data[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return data[keyCA]
}

func TestKeeperFollowsMountedFiles(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		keeper := NewKeeper(&Directory{Dir: dir}, platformtest.Logger(t), prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- keeper.Start(ctx) }()
		synctest.Wait()
		if err := keeper.Ready(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("nothing is mounted, and Ready says %v", err)
		}

		bundle := mount(t, dir)
		<-keeper.Loaded()
		<-keeper.Changed()
		if err := keeper.Ready(t.Context()); err != nil || string(keeper.Bundle()) != string(bundle) {
			t.Errorf("mounted: %v, and the bundle is\n%s", err, keeper.Bundle())
		}

		renewed := mount(t, dir)
		<-keeper.Changed()
		if string(keeper.Bundle()) != string(renewed) {
			t.Error("the bundle is the old one")
		}

		// An unreadable certificate does not replace the loaded one.
		if err := os.Remove(filepath.Join(dir, keyKey)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reload + time.Second) //nolint:forbidigo // synctest's clock
		if err := keeper.Ready(t.Context()); err != nil || string(keeper.Bundle()) != string(renewed) {
			t.Errorf("after a failed reload: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(leafLife) //nolint:forbidigo // synctest's clock
		if keeper.Ready(t.Context()) == nil {
			t.Error("ready with a certificate that has expired")
		}
	})
}
