package certs

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Material is what the server serves with, PEM encoded.
type Material struct {
	Cert, Key []byte
	// CA is the bundle that verifies Cert; empty when whoever made the certificate looks after that.
	CA []byte
}

// expiry returns when the certificate ends, or an error if certificate and key do not fit each other.
func (m Material) expiry() (time.Time, error) {
	loaded, err := tls.X509KeyPair(m.Cert, m.Key)
	if err != nil {
		return time.Time{}, fmt.Errorf("load the certificate: %w", err)
	}
	return loaded.Leaf.NotAfter, nil
}

// write puts certificate and key into dir, unless they are there already. The server notices and loads them; if it looks
// between the two writes they do not fit each other, and it keeps what it has until the second one.
func (m Material) write(dir string) error {
	for _, file := range []struct {
		name    string
		content []byte
	}{{keyCert, m.Cert}, {keyKey, m.Key}} {
		path := filepath.Join(dir, file.name)
		if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, file.content) {
			continue
		}
		if err := replaceFile(path, file.content); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile replaces a file as a whole: nobody ever reads half of it.
func replaceFile(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("write a certificate file: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write a certificate file: %w", err)
	}
	return nil
}
