package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// tolerance is how old a signature may be, as in Stripe's own libraries. Stripe signs each attempt anew.
const tolerance = 5 * time.Minute

// maxSignatures is how many signatures of a header are compared. Stripe sends one for each secret, of which there are two for a day after
// the secret was rolled.
const maxSignatures = 10

// Verify checks the value of the header Stripe-Signature: "t=1700000000,v1=…", perhaps with several v1 and with other schemes. It returns
// webhook.ErrSignature, or webhook.ErrStale for one that is too old.
func Verify(secret, header string, body []byte, now time.Time) error {
	stamp, signatures := "", []string{}
	for part := range strings.SplitSeq(header, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); {
		case name == "t":
			stamp = value
		case name == "v1" && len(signatures) < maxSignatures:
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return webhook.ErrSignature
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	want, fits := mac.Sum(nil), false
	for _, text := range signatures {
		sent, err := hex.DecodeString(text)
		fits = fits || err == nil && hmac.Equal(sent, want)
	}
	switch {
	case !fits:
		return webhook.ErrSignature
	case now.Sub(time.Unix(seconds, 0)) > tolerance:
		return webhook.ErrStale
	}
	return nil
}
