package authn

import (
	"strings"
	"testing"
	"time"
)

// TestTokenLifeIsMonotonic checks that the time until which a token is cached has a monotonic reading ("m="), unlike the one
// in the token, so that it is compared by the clock that does not step.
func TestTokenLifeIsMonotonic(t *testing.T) {
	t.Parallel()
	named := time.Now().Add(time.Minute).Round(0)
	got := deadline(named)
	if !strings.Contains(got.String(), "m=") || got.Sub(named).Abs() > time.Second {
		t.Errorf("the deadline of %s is %s", named, got)
	}
}
