// Package erased is what services agree on about erased users: how a receipt remembers whose it is.
package erased

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// SaltBytes is the length of a salt.
const SaltBytes = 32

// NewSalt returns a random salt.
func NewSalt() []byte {
	salt := make([]byte, SaltBytes)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// Digest returns the HMAC-SHA-256 of a user id or an anonymous id. Equal texts of the two kinds have different digests. Who knows the
// id can tell that a receipt is of it; nobody else can, as long as ids cannot be guessed.
func Digest(salt []byte, anonymous bool, id string) []byte {
	mac := hmac.New(sha256.New, salt)
	kind := byte('u')
	if anonymous {
		kind = 'a'
	}
	mac.Write([]byte{kind})
	mac.Write([]byte(id))
	return mac.Sum(nil)
}
