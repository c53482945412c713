package certs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Source provides the certificate. Load is called periodically and returns the current one.
type Source interface {
	Load(ctx context.Context) (Material, error)
}

// Secret is a Source that creates certificates and stores them in a Secret, so that all replicas serve the same one. The Secret
// must exist, because the operator has the right to update it but not to create Secrets.
type Secret struct {
	Client client.Client
	Name   types.NamespacedName
	// DNSNames are the names under which clients reach the server.
	DNSNames []string
	// Dir is the directory that the server reads its certificate from.
	Dir string
	Now func() time.Time
}

// Load implements Source. It renews what is due. Any replica may do so; if two try at once, one wins, and the other one uses the
// winner's certificate.
func (s *Secret) Load(ctx context.Context) (Material, error) {
	for {
		data, err := s.current(ctx)
		switch {
		case apierrors.IsConflict(err):
			continue
		case err != nil:
			return Material{}, err
		}
		m := Material{Cert: data[keyCert], Key: data[keyKey], CA: data[keyCA]}
		return m, m.write(s.Dir)
	}
}

// current renews what is due and returns the Secret's data.
func (s *Secret) current(ctx context.Context) (map[string][]byte, error) {
	var secret corev1.Secret
	if err := s.Client.Get(ctx, s.Name, &secret); err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", s.Name, err)
	}
	next, changed, err := readChain(secret.Data).rotate(s.DNSNames, s.Now())
	if err != nil {
		return nil, fmt.Errorf("renew the certificate: %w", err)
	}
	if !changed {
		return secret.Data, nil
	}
	data, err := next.encode()
	if err != nil {
		return nil, fmt.Errorf("renew the certificate: %w", err)
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, data)
	if err := s.Client.Update(ctx, &secret); err != nil {
		return nil, fmt.Errorf("write Secret %s: %w", s.Name, err)
	}
	return secret.Data, nil
}

// Directory is a Source of mounted certificates that something else renews: cert-manager, or a Secret managed by hand.
type Directory struct{ Dir string }

// Load implements Source. ca.crt may be missing.
func (d *Directory) Load(context.Context) (Material, error) {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(d.Dir, name)) }
	cert, certErr := read(keyCert)
	key, keyErr := read(keyKey)
	ca, caErr := read(keyCA)
	if errors.Is(caErr, os.ErrNotExist) {
		caErr = nil
	}
	if err := errors.Join(certErr, keyErr, caErr); err != nil {
		return Material{}, fmt.Errorf("read the mounted certificate: %w", err)
	}
	return Material{Cert: cert, Key: key, CA: ca}, nil
}
