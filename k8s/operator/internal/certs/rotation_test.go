package certs

import (
	"crypto/x509"
	"testing"
	"time"
)

var names = []string{"operator.shop.svc"}

// verify checks that a client with this bundle trusts this certificate at this time.
func verify(t *testing.T, bundle, cert []byte, now time.Time) {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatal("the bundle has no certificates")
	}
	leaf := parseOne(t, cert)
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: names[0], Roots: roots, CurrentTime: now}); err != nil {
		t.Errorf("at %s: %v", now, err)
	}
}

func TestChainIsStable(t *testing.T) {
	t.Parallel()
	now := time.Now()
	first, changed, err := chain{}.rotate(names, now)
	if err != nil || !changed {
		t.Fatalf("from nothing: changed %v, %v", changed, err)
	}
	data, err := first.encode()
	if err != nil {
		t.Fatal(err)
	}
	verify(t, data[keyCA], data[keyCert], now)
	for _, later := range []time.Duration{0, announce, leafLife / 2} {
		if _, changed, err := readChain(data).rotate(names, now.Add(later)); err != nil || changed {
			t.Errorf("%s later: changed %v, %v", later, changed, err)
		}
	}
}

// The test simulates eleven years in steps of six hours. In each step, verifiers have the bundle of this step or of the previous
// one, and servers have the certificate of this step or of the previous one.
func TestRotationNeverBreaksTrust(t *testing.T) {
	t.Parallel()
	const step = 6 * time.Hour
	start := time.Now()
	current, _, err := chain{}.rotate(names, start)
	if err != nil {
		t.Fatal(err)
	}
	before, err := current.encode()
	if err != nil {
		t.Fatal(err)
	}
	leaves, authorities := 1, 1
	for now := start; now.Before(start.Add(11 * 365 * 24 * time.Hour)); now = now.Add(step) {
		next, changed, err := readChain(before).rotate(names, now)
		if err != nil {
			t.Fatal(err)
		}
		if !changed {
			continue
		}
		data, err := next.encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, bundle := range [][]byte{before[keyCA], data[keyCA]} {
			for _, cert := range [][]byte{before[keyCert], data[keyCert]} {
				verify(t, bundle, cert, now)
			}
		}
		if string(before[keyCert]) != string(data[keyCert]) {
			leaves++
		}
		if string(before[keyCA]) != string(data[keyCA]) && len(next.authorities) > 1 {
			authorities++
		}
		if len(next.authorities) > 2 {
			t.Errorf("at %s there are %d authorities", now, len(next.authorities))
		}
		before = data
	}
	if leaves < 11 || authorities < 3 {
		t.Errorf("%d certificates by %d authorities in eleven years; they are not renewed at two thirds of their lives", leaves, authorities)
	}
}

func TestLeafIsRenewed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	whole, _, err := chain{}.rotate(names, now)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := chain{}.rotate(names, now)
	if err != nil {
		t.Fatal(err)
	}
	data, err := whole.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		chain chain
		names []string
		now   time.Time
	}{
		{"at two thirds of its life", whole, names, now.Add(leafLife*2/3 + time.Hour)},
		{"for another name", whole, []string{"operator.other.svc"}, now},
		{"of another authority", chain{authorities: whole.authorities, leaf: foreign.leaf}, names, now},
		{"whose key is another's", readChain(map[string][]byte{
			keyCA: data[keyCA], keyCAKeys: data[keyCAKeys], keyCert: data[keyCert], keyKey: data[keyCAKeys],
		}), names, now},
		{"that is missing", readChain(map[string][]byte{keyCA: data[keyCA], keyCAKeys: data[keyCAKeys]}), names, now},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			next, changed, err := test.chain.rotate(test.names, test.now)
			if err != nil || !changed {
				t.Fatalf("changed %v, %v", changed, err)
			}
			if next.authorities[0].cert != whole.authorities[0].cert && !next.authorities[0].cert.Equal(whole.authorities[0].cert) {
				t.Error("the authority was replaced too")
			}
			if next.leaf.cert.DNSNames[0] != test.names[0] || next.leaf.cert.CheckSignatureFrom(next.authorities[0].cert) != nil {
				t.Error("the new certificate does not match the request")
			}
		})
	}
}

func parseOne(t *testing.T, encoded []byte) *x509.Certificate {
	t.Helper()
	pool := readPEM(t, encoded)
	if len(pool) != 1 {
		t.Fatalf("%d certificates, want 1", len(pool))
	}
	return pool[0]
}
