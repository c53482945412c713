// Package password hashes passwords with argon2id (RFC 9106), in NFC: keyboards of different systems send the same characters
// in different Unicode forms.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// params are the cost parameters of a hash.
type params struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// current follows the recommendation of OWASP for 19 MiB (Password Storage Cheat Sheet, 2024: m=19456, t=2, p=1).
var current = params{memory: 19 * 1024, time: 2, threads: 1}

const (
	saltBytes = 16
	hashBytes = 32
	// Upper limits for the parameters of a stored hash, so that a tampered row cannot exhaust memory or CPU.
	maxMemory = 256 * 1024
	maxTime   = 16
)

// Hasher hashes and verifies passwords. At most one hash per processor runs at a time: each occupies a processor and 19 MiB,
// and more of them would only starve other requests. It is safe for concurrent use.
type Hasher struct {
	slots chan struct{}
	decoy string // verified instead of the hash of an account that does not exist
}

// NewHasher returns a Hasher.
func NewHasher() *Hasher {
	return &Hasher{
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		decoy: encode(current, make([]byte, saltBytes), make([]byte, hashBytes)),
	}
}

// Hash returns the hash of password in PHC string format. It waits for a free slot until ctx ends.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	return encode(current, salt, derive(password, salt, current, hashBytes)), nil
}

// Verify reports whether password matches hash, and whether the hash is outdated because its parameters differ from the
// current ones. An empty hash means that the account does not exist: the result is false after the same work, so that the
// response time does not reveal which accounts exist.
func (h *Hasher) Verify(ctx context.Context, password, hash string) (ok, outdated bool, err error) {
	exists := hash != ""
	if !exists {
		hash = h.decoy
	}
	p, salt, want, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	if err := h.acquire(ctx); err != nil {
		return false, false, err
	}
	defer h.release()
	got := derive(password, salt, p, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && exists, p != current, nil
}

func derive(password string, salt []byte, p params, length uint32) []byte {
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, p.time, p.memory, p.threads, length)
}

func (h *Hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.New(errs.Unavailable, "login_overloaded", "Too many logins at once. Try again shortly.").Because(ctx.Err())
	}
}

func (h *Hasher) release() { <-h.slots }

// encode writes the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
func encode(p params, salt, hash []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(salt), b64.EncodeToString(hash))
}

var errFormat = errors.New("stored password hash is not in the expected PHC format")

func decode(encoded string) (p params, salt, hash []byte, err error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return params{}, nil, nil, errFormat
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return params{}, nil, nil, errFormat
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	sane := p.memory >= 8 && p.memory <= maxMemory && p.time >= 1 && p.time <= maxTime && p.threads >= 1 &&
		len(salt) >= 8 && len(salt) <= 64 && len(hash) >= 16 && len(hash) <= 64
	if saltErr != nil || hashErr != nil || !sane {
		return params{}, nil, nil, errFormat
	}
	return p, salt, hash, nil
}
