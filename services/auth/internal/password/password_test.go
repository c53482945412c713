package password

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	first, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", first)
	}
	for plain, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false} {
		if ok, outdated, err := h.Verify(t.Context(), plain, first); ok != want || outdated || err != nil {
			t.Errorf("%q: %t, outdated %t, %v", plain, ok, outdated, err)
		}
	}
}

// TestUnicodeForms logs in with the forms of one password that different keyboards send.
func TestUnicodeForms(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	forms := []string{"gr\u00fc\u00dfe aus k\u00f6ln", "gru\u0308\u00dfe aus ko\u0308ln"}
	for _, stored := range forms {
		hash, err := h.Hash(t.Context(), stored)
		if err != nil {
			t.Fatal(err)
		}
		for _, sent := range forms {
			if ok, _, err := h.Verify(t.Context(), sent, hash); !ok || err != nil {
				t.Errorf("%+q does not match the hash of %+q: %v", sent, stored, err)
			}
		}
	}
}

func TestOutdatedHash(t *testing.T) {
	t.Parallel()
	weak := params{memory: 64, time: 1, threads: 1}
	salt := []byte("0123456789abcdef")
	old := encode(weak, salt, derive("correct horse", salt, weak, hashBytes))
	if ok, outdated, err := NewHasher().Verify(t.Context(), "correct horse", old); !ok || !outdated || err != nil {
		t.Errorf("%t, outdated %t, %v", ok, outdated, err)
	}
}

// TestUnknownAccountCostsTheSameWork compares parameters instead of durations: the decoy costs as much as a real hash.
func TestUnknownAccountCostsTheSameWork(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	if p, _, _, err := decode(h.decoy); err != nil || p != current {
		t.Errorf("the decoy has the parameters %+v, %v; want %+v", p, err, current)
	}
	for _, plain := range []string{"", "correct horse"} {
		if ok, _, err := h.Verify(t.Context(), plain, ""); ok || err != nil {
			t.Errorf("%q matches an account that does not exist: %v", plain, err)
		}
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	for range cap(h.slots) {
		if err := h.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.Hash(ctx, "correct horse"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("hash: %v", err)
	}
	if _, _, err := h.Verify(ctx, "correct horse", ""); !errs.Is(err, errs.Unavailable) {
		t.Errorf("verify: %v", err)
	}
	h.release()
	if _, err := h.Hash(t.Context(), "correct horse"); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
}

// FuzzDecode checks that no stored text makes the decoder panic or accept parameters that could exhaust the memory, and
// that what it accepts is written back the same way.
func FuzzDecode(f *testing.F) {
	f.Add(NewHasher().decoy)
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, stored string) {
		p, salt, hash, err := decode(stored)
		if err != nil {
			return
		}
		if p.memory > maxMemory || p.time > maxTime || p.threads == 0 || len(hash) > 64 {
			t.Errorf("%q is accepted with %+v", stored, p)
		}
		p2, salt2, hash2, err := decode(encode(p, salt, hash))
		if err != nil || p2 != p || string(salt2) != string(salt) || string(hash2) != string(hash) {
			t.Errorf("%q does not survive being written: %v", stored, err)
		}
	})
}
