package certs

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Material is the server's certificate and key, PEM encoded.
type Material struct {
	Cert, Key []byte
	// CA is the bundle that verifies Cert. It is empty if something else publishes the bundle.
	CA []byte
}

// expiry returns when the certificate expires. It fails if certificate and key do not match.
func (m Material) expiry() (time.Time, error) {
	loaded, err := tls.X509KeyPair(m.Cert, m.Key)
	if err != nil {
		return time.Time{}, fmt.Errorf("load the certificate: %w", err)
	}
	return loaded.Leaf.NotAfter, nil
}

// write stores certificate and key in dir, unless they are already there. The server watches the files and reloads them. If it
// reads between the two writes, the files do not match, and it keeps the old certificate until the second write.
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

// replaceFile replaces a file atomically.
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
