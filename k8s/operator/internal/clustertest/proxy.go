package clustertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// proxyIdentity is the client certificate of the front proxy. Aggregated API servers use it to verify that a request comes
// through the API server, and trust the user in its headers. It is self-signed.
type proxyIdentity struct{ cert, key string }

func newProxyIdentity(dir string) (proxyIdentity, error) {
	identity := proxyIdentity{cert: filepath.Join(dir, "proxy.crt"), key: filepath.Join(dir, "proxy.key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity, fmt.Errorf("make the proxy's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "front-proxy-client"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return identity, fmt.Errorf("make the proxy's certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return identity, fmt.Errorf("encode the proxy's key: %w", err)
	}
	if err := os.WriteFile(identity.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return identity, fmt.Errorf("write the proxy's certificate: %w", err)
	}
	if err := os.WriteFile(identity.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return identity, fmt.Errorf("write the proxy's key: %w", err)
	}
	return identity, nil
}
