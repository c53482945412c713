package certs

import (
	"fmt"
	"slices"
	"time"
)

// Keys of the Secret: those of the type kubernetes.io/tls, and those of the authorities.
const (
	keyCert   = "tls.crt"
	keyKey    = "tls.key"
	keyCA     = "ca.crt" // all authorities that may have signed tls.crt, newest first
	keyCAKeys = "ca.key" // their keys, in the same order
)

// announce is how long a new authority is trusted before it signs. In this time its certificate must reach every verifier.
const announce = time.Hour

// chain is the content of the Secret.
type chain struct {
	authorities []pair // newest first
	leaf        *pair
}

// readChain decodes the Secret's data. It treats unreadable parts as missing, so that they are created again. An emptied or
// corrupted Secret then interrupts the metrics only until it is replaced.
func readChain(data map[string][]byte) chain {
	var c chain
	if authorities, err := decode(data[keyCA], data[keyCAKeys]); err == nil {
		c.authorities = authorities
	}
	if leaves, err := decode(data[keyCert], data[keyKey]); err == nil && len(leaves) == 1 {
		c.leaf = &leaves[0]
	}
	return c
}

// encode returns the Secret's data.
func (c chain) encode() (map[string][]byte, error) {
	var certs, keys []byte
	for _, authority := range c.authorities {
		key, err := encodeKey(authority.key)
		if err != nil {
			return nil, err
		}
		certs, keys = append(certs, encodeCert(authority.cert)...), append(keys, key...)
	}
	key, err := encodeKey(c.leaf.key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{keyCA: certs, keyCAKeys: keys, keyCert: encodeCert(c.leaf.cert), keyKey: key}, nil
}

// rotate returns the chain that should be used now, and whether it differs from c.
//
// After two thirds of an authority's lifetime, its successor is added, trusted but unused. After the time of announce the
// successor signs the leaf. The old authority stays trusted until it expires. So at any time, every bundle that is still in
// use verifies every leaf that a replica may still serve.
func (c chain) rotate(names []string, now time.Time) (next chain, changed bool, err error) {
	next.authorities = slices.DeleteFunc(slices.Clone(c.authorities), func(a pair) bool { return !now.Before(a.cert.NotAfter) })
	changed = len(next.authorities) != len(c.authorities)
	if len(next.authorities) == 0 || due(next.authorities[0].cert, now) {
		authority, err := newAuthority(names[0]+" "+now.UTC().Format(time.DateOnly), now)
		if err != nil {
			return chain{}, false, err
		}
		next.authorities = slices.Insert(next.authorities, 0, authority)
		changed = true
	}
	signer := next.signer(now)
	if c.leaf != nil && c.leaf.servesUnder(signer, names, now) {
		next.leaf = c.leaf
		return next, changed, nil
	}
	leaf, err := signer.newLeaf(names, now)
	if err != nil {
		return chain{}, false, fmt.Errorf("for %s: %w", names[0], err)
	}
	next.leaf = &leaf
	return next, true, nil
}

// signer returns the newest authority that was announced long enough ago, or the oldest if there is none.
func (c chain) signer(now time.Time) pair {
	for _, authority := range c.authorities {
		if !now.Before(authority.cert.NotBefore.Add(skew + announce)) {
			return authority
		}
	}
	return c.authorities[len(c.authorities)-1]
}

// servesUnder reports whether the leaf p is still valid for names and signer and need not be renewed.
func (p pair) servesUnder(signer pair, names []string, now time.Time) bool {
	return !due(p.cert, now) &&
		slices.Equal(p.cert.DNSNames, names) &&
		p.cert.CheckSignatureFrom(signer.cert) == nil
}
