package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	authorityLife = 5 * 365 * 24 * time.Hour
	// leafLife is less than the remaining life of an authority when its successor takes over, so no leaf outlives its authority.
	leafLife = 365 * 24 * time.Hour
	// skew is the clock skew that is tolerated between machines.
	skew = 5 * time.Minute
)

const (
	pemCertificate = "CERTIFICATE"
	pemPrivateKey  = "PRIVATE KEY"
)

// pair is a certificate and its private key.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority creates a certificate authority that can only sign leaf certificates.
func newAuthority(name string, now time.Time) (pair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return issue(template, nil)
}

// newLeaf creates a server certificate for names, signed by p.
func (p pair) newLeaf(names []string, now time.Time) (pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		DNSNames:    names,
		NotBefore:   now.Add(-skew),
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	return issue(template, &p)
}

// issue creates a key and a certificate for it. The certificate is self-signed if signer is nil.
func issue(template *x509.Certificate, signer *pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generate a key: %w", err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return pair{}, fmt.Errorf("generate a serial number: %w", err)
	}
	if signer == nil {
		signer = &pair{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("parse the new certificate: %w", err)
	}
	return pair{cert: cert, key: key}, nil
}

// due reports whether a certificate is past two thirds of its lifetime and must be renewed.
func due(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return now.After(cert.NotBefore.Add(life * 2 / 3))
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert.Raw})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), nil
}

// decode parses certificates and keys in pairs.
func decode(certs, keys []byte) ([]pair, error) {
	var pairs []pair
	for {
		var certBlock, keyBlock *pem.Block
		certBlock, certs = pem.Decode(certs)
		keyBlock, keys = pem.Decode(keys)
		switch {
		case certBlock == nil && keyBlock == nil:
			return pairs, nil
		case certBlock == nil || keyBlock == nil:
			return nil, errors.New("the numbers of certificates and keys differ")
		}
		p, err := parse(certBlock.Bytes, keyBlock.Bytes)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
}

func parse(certDER, keyDER []byte) (pair, error) {
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return pair{}, fmt.Errorf("parse a certificate: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return pair{}, fmt.Errorf("parse a key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return pair{}, errors.New("the key does not match the certificate")
	}
	return pair{cert: cert, key: key}, nil
}
