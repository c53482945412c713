package authn

import (
	"context"
	"encoding/base64"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// expiringKeys is a KeyStore whose keys expire at a time.
type expiringKeys struct {
	at      time.Time
	lookUps int
}

func (s *expiringKeys) FindKey(context.Context, string) (Key, error) {
	s.lookUps++
	return Key{Principal: Principal{KeyID: "k1"}, Expires: s.at}, nil
}

// TestACachedKeyDoesNotOutliveItsExpiry uses a key until it expires, while its look-up is cached.
func TestACachedKeyDoesNotOutliveItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := &expiringKeys{at: time.Now().Add(keyTTL / 2)}
		cache := newKeyCache(keys)
		defer cache.stop()
		key := NewKey()
		basic := base64.StdEncoding.EncodeToString([]byte(key + ":"))
		for _, step := range []struct {
			pause time.Duration
			code  string
		}{{0, ""}, {keyTTL/2 - time.Nanosecond, ""}, {time.Nanosecond, "api_key_expired"}} {
			<-time.After(step.pause)
			_, err := cache.find(t.Context(), key)
			if step.code == "" && err != nil || step.code != "" && errs.CodeOf(err) != step.code {
				t.Errorf("after %s: %v, want %q", step.pause, err, step.code)
			}
			for _, header := range []string{"Bearer " + key, "bearer " + key, "Basic " + basic, "BASIC " + basic} {
				if _, recalled := (&Verifier{keys: cache}).Recall(header, ""); recalled != (step.code == "") {
					t.Errorf("after %s: recalled %t", step.pause, recalled)
				}
			}
		}
		if keys.lookUps != 1 {
			t.Errorf("%d look-ups", keys.lookUps)
		}
	})
}
